"""The files of one service's switches: journal, who has served, an override, and the runs."""

from pathlib import Path

from tidegate.files import read_json, write_json
from tidegate.gate.clock import utc_now
from tidegate.gate.journal import Journal, read_events
from tidegate.local.state_folder import StateFolder
from tidegate.traffic.switch_documents import Override


class SwitchFolder:
    """`.tidegate/<stack>/switches/<service>/`."""

    def __init__(self, folder: StateFolder, service: str) -> None:
        self.root = folder.switch(service)
        self.service = service

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def journal_path(self) -> Path:
        """One event a line: at, event, message, and numbers. Never cut, never removed."""
        return self.root / "journal.jsonl"

    def note(self, event: str, message: str, **details: object) -> None:
        """Append one event; `details` are further keys in camelCase."""
        self.root.mkdir(parents=True, exist_ok=True)
        journal = Journal(self.journal_path)
        try:
            journal.write(event, message, **details)
        finally:
            journal.close()

    def events(self) -> list[dict[str, object]]:
        return read_events(self.journal_path)[0]

    # -- revisions that finished a switch here ------------------------------------------------

    def has_served(self, revision: str) -> bool:
        """Whether all of the users' traffic went to the revision at the end of a switch."""
        return revision in self._served()

    def note_served(self, revision: str) -> None:
        served = self._served()
        if revision not in served:
            write_json(self._served_path, {**served, revision: utc_now()})

    def forget_served(self, revision: str) -> None:
        """A revision that comes back later is as new as its gate."""
        served = self._served()
        if served.pop(revision, None) is not None:
            write_json(self._served_path, served)

    def forget_everyone(self) -> None:
        """With the switch goes what depends on it: who has served, and an override."""
        self._served_path.unlink(missing_ok=True)
        self.clear_override()

    @property
    def _served_path(self) -> Path:
        return self.root / "served.json"

    def _served(self) -> dict[str, str]:
        return dict(read_json(self._served_path) or {})

    # -- a move past the stack file -----------------------------------------------------------

    def override(self) -> Override | None:
        return Override.load(self._override_path) if self._override_path.exists() else None

    def write_override(self, override: Override) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        override.write(self._override_path)

    def clear_override(self) -> None:
        self._override_path.unlink(missing_ok=True)

    @property
    def _override_path(self) -> Path:
        return self.root / "override.json"
