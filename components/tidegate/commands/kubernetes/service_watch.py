"""Looks at one service of a cluster, again and again."""

from collections.abc import Mapping

from tidegate.cluster.client import Cluster
from tidegate.cluster.endpoints import ready_endpoints
from tidegate.cluster.errors import ClusterError, ForbiddenError, UnreachableError
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.traffic.gateway_api.proxied_counters import ProxiedCounters
from tidegate.traffic.gateway_api.recorded import RecordedRoutes
from tidegate.traffic.router import RouterError, UserCounters
from tidegate.traffic.service_watch import ServiceLook


class ClusterLooks:
    """Implements `tidegate.traffic.service_watch.ServiceLooks`.

    What users meet is read from the Envoys by way of the API server. Without the right to do so
    the rest is told, and why the numbers are missing.
    """

    def __init__(
        self, cluster: Cluster, routes: RecordedRoutes, counters: ProxiedCounters, service: str
    ) -> None:
        self._cluster = cluster
        self._routes = routes
        self._counters = counters
        self._service = service
        self._switches = SwitchRecords(cluster)
        self._run: SwitchRun | None = None
        self._forbidden: str | None = None

    async def look(self) -> ServiceLook:
        """What is so now. An API server that does not answer is part of the answer; raises
        ClusterError when it refuses."""
        try:
            return await self._look()
        except UnreachableError as error:
            return ServiceLook(problem=str(error))

    async def _look(self) -> ServiceLook:
        self._run = run = await self._followed()
        recorded = await self._routes.of(self._service)
        weights = dict(recorded.routes.weights) if recorded is not None else {}
        ready = await ready_endpoints(self._cluster)
        counters, why = await self._counted(weights)
        problems = [*(recorded.problems if recorded is not None else ()), *([why] if why else [])]
        return ServiceLook(
            weights=weights,
            healthy={each: ready[each] > 0 for each in weights},
            counters=counters,
            problem="; ".join(problems) or None,
            progress=run.progress if run is not None else None,
            outcome=run.outcome if run is not None else None,
            override=await self._switches.override(self._service),
        )

    async def _followed(self) -> SwitchRun | None:
        """The run that was followed until its outcome, or one that has begun since."""
        if self._run is not None and self._run.outcome is None:
            return await self._switches.run(self._run.name)
        return await self._switches.unfinished(self._service) or self._run

    async def _counted(
        self, weights: Mapping[str, int]
    ) -> tuple[Mapping[str, UserCounters], str | None]:
        """What users met, or why that is not known."""
        if self._forbidden is not None or not weights:
            return {}, self._forbidden
        try:
            return await self._counters.read(weights), None
        except ForbiddenError as error:
            # Rights do not come back within a watch, and each refusal is written to audit logs.
            self._forbidden = not_known(error)
            return {}, self._forbidden
        except (ClusterError, RouterError) as error:
            return {}, not_known(error)


def not_known(error: Exception) -> str:
    return f"what users meet is not known: {error}"
