"""A cluster as the platform of a stack, for the commands."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import ClusterError
from tidegate.cluster.kubeconfig import read_kubeconfig
from tidegate.cluster.pod_proxy import PodProxy
from tidegate.commands.kubernetes.history import events_of
from tidegate.commands.kubernetes.revisions import release_in, revisions_named
from tidegate.commands.kubernetes.service_watch import ClusterLooks
from tidegate.commands.kubernetes.settings import (
    cluster_settings,
    kubeconfig_of,
    runner_image_of,
)
from tidegate.commands.kubernetes.status import cluster_status
from tidegate.commands.kubernetes.takeover import ClusterTakeover
from tidegate.commands.platforms import Say
from tidegate.jobs.runner_jobs import RunnerSettings
from tidegate.records.gates import GateRecords
from tidegate.records.switches import SwitchRecords
from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.stack_file import ServiceReleases, StackFile
from tidegate.traffic.gateway_api.objects import KINDS
from tidegate.traffic.gateway_api.proxied_counters import ProxiedCounters
from tidegate.traffic.gateway_api.recorded import Recorded, RecordedRoutes
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.service_watch import ServiceLooks
from tidegate.traffic.stack_status import StackStatus
from tidegate.traffic.switch_documents import Override
from tidegate.traffic.takeover import Takeover, TakeoverUnprovenError


class ClusterPlatform:
    """Implements `tidegate.commands.platforms.PlatformOfStack`."""

    def __init__(self, cluster: Cluster, proxy: PodProxy, settings: RunnerSettings) -> None:
        self._cluster = cluster
        self._proxy = proxy
        self._settings = settings
        self._switches = SwitchRecords(cluster)

    async def status(self) -> StackStatus:
        return await cluster_status(self._cluster, self._proxy)

    async def routed(self) -> list[str]:
        services = await self._switches.services()
        return [each for each in services if await self.routes(each) is not None]

    async def with_history(self) -> list[str]:
        gated = {each.service for each in await GateRecords(self._cluster).all()}
        return sorted({*await self._switches.services(), *gated})

    async def events(self, service: str) -> list[dict[str, Any]]:
        return await events_of(self._cluster, service)

    async def looks(self, service: str) -> ServiceLooks:
        gateway = await self._gateway(service)
        if gateway is None:
            raise SpecError("service", service, "it has no routes here", "run `pulumi up` first")
        counters = ProxiedCounters(self._cluster, gateway, self._proxy)
        routes = RecordedRoutes(self._cluster, gateway, KINDS)
        return ClusterLooks(self._cluster, routes, counters, service)

    async def revisions(self, service: str, releases: ServiceReleases) -> Sequence[str | None]:
        routes = await self.routes(service)
        routed = list(routes.weights) if routes is not None else []
        gates = await GateRecords(self._cluster).all()
        gated = [each.revision for each in gates if each.service == service]
        return revisions_named(service, releases, routed, gated)

    async def has_passed(self, revision: str) -> bool:
        gate = await GateRecords(self._cluster).find(revision)
        return gate is not None and gate.has_passed

    async def routes(self, service: str) -> ServiceRoutes | None:
        recorded = await self._recorded(service)
        return recorded.routes if recorded is not None else None

    async def override(self, service: str) -> Override | None:
        return await self._switches.override(service)

    async def release_of(self, service: str, revision: str) -> str | None:
        return release_in(service, revision)

    async def take_over(self, service: str, revision: str, by: str, say: Say) -> Takeover:
        takeover = ClusterTakeover(self._cluster, self._settings, service, revision, by)
        return await takeover.carry_out(say)

    async def prove(self, service: str, revision: str) -> str:
        """The switch's Job has asked every Envoy before it said that the routes are in force."""
        try:
            recorded, newest = await self._recorded(service), await self._switches.latest(service)
        except ClusterError as error:
            raise TakeoverUnprovenError(str(error)) from error
        problems = recorded.problems if recorded is not None else ("it has no routes",)
        if problems:
            raise TakeoverUnprovenError(f"the routes of {service}: {'; '.join(problems)}")
        if newest is None or newest.request.to_revision != revision or not newest.is_in_force:
            raise TakeoverUnprovenError(
                f"the last switch of {service} has not said that {revision} answers"
            )
        return (
            "Proven at the gateway: every Envoy has answered over HTTP and gRPC with the new "
            f"routes (run {newest.number})."
        )

    async def _recorded(self, service: str) -> Recorded | None:
        gateway = await self._gateway(service)
        return await RecordedRoutes(self._cluster, gateway, KINDS).of(service) if gateway else None

    async def _gateway(self, service: str) -> GatewayReference | None:
        """The Gateway of the service's newest switch; routes come from switches only."""
        newest = await self._switches.latest(service)
        return newest.gateway if newest is not None else None


@asynccontextmanager
async def cluster_platform(
    project: Path, stack: str, file: StackFile
) -> AsyncIterator[ClusterPlatform]:
    """The cluster that the stack file names. Raises SpecError when it names none."""
    settings = cluster_settings(file)
    config = read_kubeconfig(kubeconfig_of(settings, file, project, stack), settings.context)
    image = runner_image_of(settings, file, project, stack)
    settings = settings.model_copy(update={"runner_image": image})
    cluster, proxy = Cluster(config, settings.namespace), PodProxy(config)
    try:
        yield ClusterPlatform(cluster, proxy, settings)
    finally:
        await proxy.close()
        await cluster.close()
