"""The process that carries a switch out and outlives whoever asked for it.

`python -m tidegate.local.switch_runner RUN_DIR` reads request.json there and leaves outcome.json.
Started again on the same folder it goes on where it was. Exit code 0 means that there is an
outcome; with any other supervisor starts it again.
"""

import asyncio
import signal
import sys
import time
import traceback
from pathlib import Path

from filelock import FileLock, Timeout

from tidegate.lease import Wanted
from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.local.switch_records import REQUEST, SwitchRecords
from tidegate.spec.errors import SpecError
from tidegate.traffic.conductor_parts import Surroundings
from tidegate.traffic.router import RouterError
from tidegate.traffic.switch_documents import Ending, SwitchOutcome, SwitchRequest

EXIT_DONE = 0
EXIT_ERROR = 5
EXIT_ALREADY_RUNNING = 6
_RETRY_SECONDS = 2.0
"""After an error: supervisor starts the process again at once."""


def main(arguments: list[str]) -> int:
    """Carry out the request in the folder named by the only argument."""
    if len(arguments) != 1:
        print("usage: python -m tidegate.local.switch_runner RUN_DIR", file=sys.stderr)
        return EXIT_ERROR
    run_dir = Path(arguments[0])
    # Ended with supervisor, the run stays as it is and goes on when it is started again.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_ERROR))
    try:
        with FileLock(run_dir / "runner.lock", blocking=False):
            return _carry_out(run_dir)
    except Timeout:
        print(f"another conductor holds {run_dir}", file=sys.stderr)
        return EXIT_ALREADY_RUNNING


def _carry_out(run_dir: Path) -> int:
    request = SwitchRequest.load(run_dir / REQUEST)
    if request.state_folder is None:
        raise SpecError(
            "stateFolder",
            None,
            "the embedded platform keeps its routes there",
            "the stack's folder",
        )
    stack = LocalStack(StateFolder(Path(request.state_folder)))
    folder = stack.switches.folder(request.service)
    records = SwitchRecords(run_dir, folder)
    if records.outcome() is not None:
        return EXIT_DONE
    position = records.position()
    words = f"from {request.from_revision} to {request.to_revision}"
    event, verb = ("resumed", "goes on") if position.resumed else ("started", "begins")
    folder.note(event, f"the switch {words} {verb}", run=request.run, step=position.stage + 1)
    try:
        outcome = asyncio.run(_conduct(request, stack, records, run_dir))
    except RouterError as error:
        folder.note("routerSilent", f"the traffic is not back yet: {error}", run=request.run)
        time.sleep(_RETRY_SECONDS)
        return EXIT_ERROR
    except Exception as error:
        # Started again, the conductor turns back: it would only fail again on the way forward.
        traceback.print_exc()
        records.give_up(f"the conductor failed: {type(error).__name__}: {error}")
        time.sleep(_RETRY_SECONDS)
        return EXIT_ERROR
    if outcome.ending is Ending.ADVANCED:
        folder.note_served(request.to_revision)
    records.end(outcome)
    return EXIT_DONE


async def _conduct(
    request: SwitchRequest, stack: LocalStack, records: SwitchRecords, run_dir: Path
) -> SwitchOutcome:
    # Judging needs numpy and scipy, which a run that is over need not load.
    from tidegate.traffic.conductor import Conductor
    from tidegate.traffic.judges import StageJudges

    judged = sum(stage.kind != "final" for stage in request.stages)
    wanted = Wanted(run_dir, request.lease_seconds)

    def stop() -> Ending | None:
        reason = wanted.stop_reason()
        return Ending(reason) if reason is not None else None

    def override() -> str | None:
        found = stack.switches.folder(request.service).override()
        return found.revision if found is not None else None

    conductor = Conductor(
        request,
        stack.router(),
        StageJudges(request.strategy, judged, request.seed),
        records,
        Surroundings(stop, override, asyncio.sleep, time.monotonic),
        records.position(),
    )
    return await conductor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
