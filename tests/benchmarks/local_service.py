"""A service of the embedded platform without the engine: a gateway, and a server per revision."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.engine.harness.toolchain_environment import REPOSITORY
from tidegate.local.slots import SlotRequest
from tidegate.local.stack import LocalStack
from tidegate.spec.release import Release

READY_SECONDS = 60
HEALTH_SECONDS = 1


def copy_serving(target: Path) -> Path:
    """The project's releases in a folder of one's own."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(REPOSITORY / "serving", target, ignore=ignored)
    return target


async def start_service(
    stack: LocalStack, service: str, releases: Mapping[str, Release], serving_root: Path
) -> None:
    """Start the gateway and a server for each revision of `releases`; nothing is routed yet."""
    await stack.gateway.start(
        None, None, tuple(releases), (service,), asyncio.sleep, lambda _: None
    )
    for revision, release in releases.items():
        request = SlotRequest(revision, release, serving_root, READY_SECONDS, HEALTH_SECONDS)
        await stack.slots.deploy(request, asyncio.sleep, lambda _: None)
