"""What stands in for the Gateway API's router and for the pod of a runner."""

from pathlib import Path

from tests.unit.cluster.api_server import NAMESPACE
from tests.unit.traffic.conducting import FakeRouter
from tidegate.runner.environment import RunnerEnvironment


class RunnersRouter(FakeRouter):
    """Knows for which services it was told to release the drained revision."""

    def __init__(self) -> None:
        super().__init__()
        self.released: list[str] = []

    async def release(self, service: str) -> None:
        self.released.append(service)

    async def close(self) -> None:
        pass


def environment_of(run: str) -> RunnerEnvironment:
    """That of the pod which carries out the run."""
    return RunnerEnvironment(
        namespace=NAMESPACE,
        run=run,
        holder="job/pod/1",
        work_folder=Path("/nowhere"),
        accelerator_pool=None,
        gate_lease_namespace=NAMESPACE,
    )
