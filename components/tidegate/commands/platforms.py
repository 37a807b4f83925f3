"""A stack as the commands see it, on whatever platform it is."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from tidegate.stack_file import ServiceReleases, StackFile
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.service_watch import ServiceLooks
from tidegate.traffic.stack_status import StackStatus
from tidegate.traffic.switch_documents import Override
from tidegate.traffic.takeover import Takeover

Say = Callable[[str], None]


class PlatformOfStack(Protocol):
    """Reads a stack's platform and moves its traffic.

    Every method may raise SpecError, and ClusterError where the platform is a cluster.
    """

    async def status(self) -> StackStatus:
        """Everything at once. Takes a second, to measure rates."""

    async def routed(self) -> list[str]:
        """Services with routes."""

    async def with_history(self) -> list[str]:
        """Services that something is told of."""

    async def events(self, service: str) -> list[dict[str, Any]]:
        """What happened to the service, as recorded: `at`, `event`, `message` and more."""

    async def looks(self, service: str) -> ServiceLooks: ...

    async def revisions(self, service: str, releases: ServiceReleases) -> Sequence[str | None]:
        """Ids of what `pulumi up` makes of these releases: the live one, the standby if any.

        None for one that is not known before.
        """

    async def has_passed(self, revision: str) -> bool:
        """Whether the revision's gate has passed here."""

    async def routes(self, service: str) -> ServiceRoutes | None:
        """As recorded, None when the service has none."""

    async def override(self, service: str) -> Override | None: ...

    async def release_of(self, service: str, revision: str) -> str | None:
        """`digits@2`; None when that is not known."""

    async def take_over(self, service: str, revision: str, by: str, say: Say) -> Takeover:
        """Send all of the service's traffic to the revision, past the engine.

        Raises TakeoverError; nothing is changed then.
        """

    async def prove(self, service: str, revision: str) -> str:
        """How the gateway shows the move, in a sentence. Raises TakeoverUnprovenError."""


@asynccontextmanager
async def platform_of(project: Path, stack: str) -> AsyncIterator[PlatformOfStack]:
    """The platform that the stack file names; without a file the embedded one, if there is one.

    Raises SpecError.
    """
    file = declared(project, stack)
    if file is not None and is_on_a_cluster(file):
        # Loaded for clusters only: its client takes its time, and comes with an extra.
        from tidegate.commands.kubernetes.platform import cluster_platform

        async with cluster_platform(project, stack, file) as platform:
            yield platform
        return
    from tidegate.commands.embedded import EmbeddedPlatform

    yield EmbeddedPlatform(project, stack)


def declared(project: Path, stack: str) -> StackFile | None:
    """The stack's file; None when only what the stack left on this machine is there."""
    path = stack_file_path(project, stack)
    if not path.exists() and (project / ".tidegate" / stack).is_dir():
        return None
    return StackFile.load(path)


def stack_file_path(project: Path, stack: str) -> Path:
    return project / "stacks" / f"Pulumi.{stack}.yaml"


def is_on_a_cluster(file: StackFile) -> bool:
    platform = file.setting("platform")
    return isinstance(platform, dict) and platform.get("kubernetes") is not None
