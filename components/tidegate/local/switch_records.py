"""A switch's records in its run folder and in its service's journal."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tidegate.files import read_json, write_json
from tidegate.local.switch_folder import SwitchFolder
from tidegate.traffic.conductor_parts import Position, Snapshot, snapshots
from tidegate.traffic.switch_documents import Decision, Ending, SwitchOutcome, SwitchProgress

REQUEST = "request.json"
PROGRESS = "progress.json"
DECISION = "decision.json"
REFERENCE = "reference.json"
OUTCOME = "outcome.json"


class SwitchRecords:
    """Implements `tidegate.traffic.conductor_parts.Records` on files."""

    def __init__(self, run_dir: Path, folder: SwitchFolder) -> None:
        self._run_dir = run_dir
        self._folder = folder

    def note(self, event: str, message: str, **details: object) -> None:
        self._folder.note(event, message, **details)

    def show(self, progress: SwitchProgress) -> None:
        progress.write(self._run_dir / PROGRESS)

    def keep_decision(self, decision: Decision) -> None:
        decision.write(self._run_dir / DECISION)

    def keep_reference(self, before: Sequence[Snapshot]) -> None:
        write_json(self._run_dir / REFERENCE, [asdict(each) for each in before])

    def reference(self) -> Sequence[Snapshot]:
        return snapshots(read_json(self._run_dir / REFERENCE) or ())

    def position(self) -> Position:
        """Where a conductor that is started on this folder begins or goes on."""
        progress, decision = self._run_dir / PROGRESS, self._run_dir / DECISION
        return Position.after(
            SwitchProgress.load(progress) if progress.exists() else None,
            Decision.load(decision) if decision.exists() else None,
        )

    def give_up(self, reason: str) -> None:
        """Have the next conductor on this folder turn back, unless that is decided already."""
        position = self.position()
        if position.decision is None:
            stage = position.stage + 1
            self.keep_decision(
                Decision(ending=Ending.TURNED_BACK, reason=reason, was_shown=False, stage=stage)
            )

    def outcome(self) -> SwitchOutcome | None:
        path = self._run_dir / OUTCOME
        return SwitchOutcome.load(path) if path.exists() else None

    def end(self, outcome: SwitchOutcome) -> None:
        """Write the outcome. The recording, which is large, has done its work."""
        (self._run_dir / REFERENCE).unlink(missing_ok=True)
        outcome.write(self._run_dir / OUTCOME)
