"""The embedded platform, for the commands."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidegate.commands.platforms import Say, stack_file_path
from tidegate.local import PLATFORM
from tidegate.local.service_watch import LocalLooks
from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.local.status import stack_status
from tidegate.local.takeover import prove, take_over
from tidegate.spec.release import load_release
from tidegate.spec.revision import Revision
from tidegate.stack_file import ServiceReleases, StackFile
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.service_watch import ServiceLooks
from tidegate.traffic.stack_status import StackStatus
from tidegate.traffic.switch_documents import Override
from tidegate.traffic.takeover import Takeover


class EmbeddedPlatform:
    """Implements `tidegate.commands.platforms.PlatformOfStack`."""

    def __init__(self, project: Path, stack: str) -> None:
        self._project = project
        self._stack_file = stack_file_path(project, stack)
        self._stack = LocalStack(StateFolder(project / ".tidegate" / stack))

    async def status(self) -> StackStatus:
        return await stack_status(self._stack)

    async def routed(self) -> list[str]:
        return sorted(each.service for each in self._stack.gateway.discovery.services())

    async def with_history(self) -> list[str]:
        folders = self._stack.switches.folders()
        return sorted(each.service for each in folders if each.journal_path.exists())

    async def events(self, service: str) -> list[dict[str, Any]]:
        return self._stack.switches.folder(service).events()

    async def looks(self, service: str) -> ServiceLooks:
        return LocalLooks(self._stack, service)

    async def revisions(self, service: str, releases: ServiceReleases) -> Sequence[str | None]:
        probes = StackFile.load(self._stack_file).probes(service)
        return [
            Revision(
                platform=PLATFORM,
                release=load_release(self._project / "serving", service, name.rpartition("@")[2]),
                probes=probes,
            ).id
            for name in releases.names
        ]

    async def has_passed(self, revision: str) -> bool:
        return self._stack.gates.passing(revision) is not None

    async def routes(self, service: str) -> ServiceRoutes | None:
        return self._stack.recorded_routes(service)

    async def override(self, service: str) -> Override | None:
        return self._stack.switches.folder(service).override()

    async def release_of(self, service: str, revision: str) -> str | None:
        slot = self._stack.slots.record(revision)
        return f"{service}@{slot.release}" if slot is not None else None

    async def take_over(self, service: str, revision: str, by: str, say: Say) -> Takeover:
        return await take_over(self._stack, service, revision, by, asyncio.sleep)

    async def prove(self, service: str, revision: str) -> str:
        proof = await prove(self._stack, service, revision, asyncio.sleep)
        return (
            f"Proven at the gateway: {proof.answers} answers in a row came from it, the first "
            f"{proof.seconds:.3f} s later."
        )
