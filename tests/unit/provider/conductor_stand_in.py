"""A conductor inside the test's process: moves the routes and ends as the test says."""

import threading
from collections.abc import Callable
from pathlib import Path

from tidegate.lease import CANCEL
from tidegate.local.switch_records import OUTCOME, PROGRESS, REQUEST
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.switch_documents import (
    Ending,
    StageProgress,
    SwitchOutcome,
    SwitchProgress,
    SwitchRequest,
)

POLL_SECONDS = 0.01


class ConductorStandIn:
    """Ends every run as `ending` says; None: it stays in the first step until it is cancelled."""

    def __init__(self, discovery: DiscoveryFiles) -> None:
        self._discovery = discovery
        self.ending: Ending | None = Ending.ADVANCED
        self.was_shown = False
        self.requests: list[SwitchRequest] = []

    def start(self, run_dir: Path) -> Callable[[], None]:
        stopped = threading.Event()
        thread = threading.Thread(target=self._run, args=(run_dir, stopped), daemon=True)
        thread.start()

        def stop() -> None:
            stopped.set()
            thread.join()

        return stop

    def _run(self, run_dir: Path, stopped: threading.Event) -> None:
        request = SwitchRequest.load(run_dir / REQUEST)
        self.requests.append(request)
        self._discovery.put_service(request.stages[0].routes)
        _progress(request).write(run_dir / PROGRESS)
        ending = self.ending
        while ending is None:
            if (run_dir / CANCEL).exists():
                ending = Ending.CANCELLED
            elif stopped.wait(POLL_SECONDS):
                return
            else:
                ending = self.ending
        advanced = ending is Ending.ADVANCED
        routes = request.stages[-1].routes if advanced else request.routes_before
        assert routes is not None
        self._discovery.put_service(routes)
        self._outcome(request, ending).write(run_dir / OUTCOME)

    def _outcome(self, request: SwitchRequest, ending: Ending) -> SwitchOutcome:
        return SwitchOutcome(
            service=request.service,
            run=request.run,
            from_revision=request.from_revision,
            to_revision=request.to_revision,
            ending=ending,
            reason=f"the stand-in ends with {ending}",
            was_shown=self.was_shown,
            stage=1,
            of=len(request.stages),
            judgement=None,
            candidate_requests=1234,
            candidate_errors=25,
            drained=None,
            at="2026-11-22T22:00:00.000Z",
        )


def _progress(request: SwitchRequest) -> SwitchProgress:
    stage = request.stages[0]
    return SwitchProgress(
        service=request.service,
        run=request.run,
        from_revision=request.from_revision,
        to_revision=request.to_revision,
        state="running",
        stage=StageProgress(
            index=1,
            of=len(request.stages),
            kind=stage.kind,
            weights=dict(stage.routes.weights),
            started_at="2026-11-22T22:00:00.000Z",
            minimum_seconds=stage.minimum_seconds,
            limit_seconds=stage.limit_seconds,
            seconds_in=1.0,
        ),
        judgement=None,
        message="step 1 of 2",
    )
