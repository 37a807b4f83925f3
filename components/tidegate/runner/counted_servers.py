"""The pods behind a gate's targets, for the gate to read the counters of each."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tidegate.cluster.client import Cluster
from tidegate.cluster.endpoints import addresses_of
from tidegate.cluster.errors import ClusterError, ForbiddenError
from tidegate.cluster.names import METRICS_PORT_NAME
from tidegate.gate.request import GateRequest, split_target
from tidegate.gate.servers import Servers, write_servers
from tidegate.runner.beside import running_beside

LOOK_SECONDS = 1.0


class CountedServers:
    """Those of a request's arms, written for the gate into its run's folder."""

    def __init__(self, cluster: Cluster, request: GateRequest, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        arms = (request, request.baseline)
        targets = [each.metrics_target for each in arms if each is not None]
        self._targets = [each for each in targets if each is not None and _is_of_service(each)]
        self._told: dict[str, Servers] = {}

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell them before the gate begins, and again while it runs. Raises ForbiddenError."""
        while True:
            if await self._tell():
                break
            await asyncio.sleep(LOOK_SECONDS)
        async with running_beside(self._go_on()):
            yield

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(ForbiddenError):
                await self._tell()

    async def _tell(self) -> bool:
        """Whether the API server told us."""
        try:
            servers = {target: await self._behind(target) for target in self._targets}
        except ForbiddenError:
            raise
        except ClusterError:
            return False
        if servers != self._told:
            write_servers(self._folder, servers)
            self._told = servers
        return True

    async def _behind(self, target: str) -> Servers:
        """One that has been ready stays until it leaves: what it has counted still counts."""
        found = await addresses_of(self._cluster, _service(target), METRICS_PORT_NAME)
        known = self._told.get(target, {})
        return {pod: each.target for pod, each in found.items() if each.is_ready or pod in known}


def _service(target: str) -> str:
    return split_target(target)[0].partition(".")[0]


def _is_of_service(target: str) -> bool:
    """Whether it is made by `tidegate.cluster.names.target`."""
    return split_target(target)[0].endswith(".svc")
