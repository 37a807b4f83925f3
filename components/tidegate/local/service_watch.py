"""Looks at one service of the embedded platform, again and again."""

from tidegate.local.stack import LocalStack
from tidegate.local.switch_runs import SwitchRun
from tidegate.traffic.router import RouterError
from tidegate.traffic.service_watch import ServiceLook


class LocalLooks:
    """Implements `tidegate.traffic.service_watch.ServiceLooks`."""

    def __init__(self, stack: LocalStack, service: str) -> None:
        self._stack = stack
        self._service = service
        self._run: SwitchRun | None = None

    async def look(self) -> ServiceLook:
        """What is so now. A gateway that does not answer is part of the answer."""
        self._run = run = self._stack.switches.unfinished(self._service) or self._run
        routes = self._stack.recorded_routes(self._service)
        weights = dict(routes.weights) if routes is not None else {}
        problem, healthy, counters = None, {}, {}
        try:
            if weights:
                router = self._stack.router()
                counters = {each: await router.user_counters(each) for each in weights}
                healthy = {each: await router.is_healthy(each) for each in weights}
        except RouterError as error:
            problem, healthy, counters = str(error), {}, {}
        return ServiceLook(
            weights=weights,
            healthy=healthy,
            counters=counters,
            problem=problem,
            progress=run.progress if run is not None else None,
            outcome=run.outcome if run is not None else None,
            override=self._stack.switches.folder(self._service).override(),
        )
