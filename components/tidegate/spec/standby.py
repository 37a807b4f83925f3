"""Whether a standby's servers run, and whether an update may take those of the one it drops."""

from collections.abc import Sequence
from typing import Any, Literal

from tidegate.spec.errors import SpecError
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import PLATFORM as KUBERNETES

StandbyMode = Literal["warm", "cold"]
"""warm: its servers run, so a rollback takes one switch. cold: zero replicas, which a rollback
starts first."""


def check_standby(mode: StandbyMode, make_room: bool, revisions: Sequence[Revision]) -> None:
    """Raise SpecError, with the stack file's keys, where servers cannot be scaled to zero."""
    asked: dict[str, tuple[Any, str]] = {}
    if mode == "cold":
        asked["standbyMode"] = "cold", "standbyMode: warm"
    if make_room:
        asked["makeRoom"] = True, "makeRoom: false"
    for field, (value, instead) in asked.items():
        for revision in revisions:
            if revision.platform != KUBERNETES:
                raise SpecError(
                    field,
                    value,
                    f"the platform is {revision.platform}, where a slot is one server that runs "
                    "as long as it is declared",
                    instead,
                )
            if revision.existing is not None:
                release = f"{revision.service}@{revision.release.release}"
                raise SpecError(
                    field,
                    value,
                    f"{release} runs in Deployment {revision.existing.deployment}, which is yours "
                    "and which tidegate does not scale",
                    f"{instead}, or pool and model in place of `existing`",
                )
