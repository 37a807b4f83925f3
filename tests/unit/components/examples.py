"""One example of every component, for the contract that all of them keep."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi

from tidegate.gate.profile import load_profile
from tidegate.local.platform import LocalPlatform, LocalPlatformArgs
from tidegate.serving import InferenceService, InferenceServiceArgs
from tidegate.spec.release import load_release
from tidegate.spec.revision import Probes, Revision

ROOT = Path(__file__).parents[3]
SERVING = ROOT / "serving"


def revision(release: str) -> Revision:
    return Revision(
        platform="local", release=load_release(SERVING, "digits", release), probes=Probes()
    )


def platform_arguments() -> LocalPlatformArgs:
    return LocalPlatformArgs(
        state_folder=Path("/state"),
        environment="test",
        stack_file="stacks/Pulumi.test.yaml",
        revisions=[revision("1").id, revision("2").id],
        services=["digits"],
    )


def service_arguments(standby: str | None = "2") -> InferenceServiceArgs:
    return InferenceServiceArgs(
        platform=LocalPlatform("platform", platform_arguments()),
        serving_root=SERVING,
        live=revision("1"),
        standby=revision(standby) if standby is not None else None,
        profile=load_profile(ROOT / "loadtests" / "profiles" / "quick.yaml"),
    )


EXAMPLES: dict[type[pulumi.ComponentResource], tuple[type, Callable[[], Any]]] = {
    LocalPlatform: (LocalPlatformArgs, platform_arguments),
    InferenceService: (InferenceServiceArgs, service_arguments),
}
"""Component class → its arguments' class, and what makes such arguments."""
