"""What a platform offers a service: a slot per revision, and a provider that acts on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pulumi

from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import Replicas


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Everything that serves one revision, named after it. Targets are the servers themselves."""

    revision: Revision
    resources: tuple[pulumi.Resource, ...]
    http_target: pulumi.Output[str]
    grpc_target: pulumi.Output[str]
    metrics_target: pulumi.Output[str]


class Platform(Protocol):
    """A place where revisions can be served."""

    @property
    def name(self) -> str:
        """Kind of the platform, part of every revision's identity: "local"."""

    @property
    def provider(self) -> pulumi.ProviderResource:
        """Provider that gates, switches and holds revisions on this platform."""

    @property
    def ready(self) -> Sequence[pulumi.Resource]:
        """What has to be there before anything is done on this platform by its provider."""

    def deploy(
        self,
        revision: Revision,
        serving_root: Path,
        parent: pulumi.Resource,
        replicas: Replicas | None = None,
        *,
        is_cold: bool = False,
        after: Sequence[pulumi.Resource] = (),
    ) -> Slot:
        """Declare the revision's slot as children of `parent`; one replica without `replicas`.

        A cold slot needs no server: one that is new gets none, one that is there keeps its own
        until a `ColdStandby` ends them. No server is started before `after` is there.

        Raises SpecError when this platform cannot serve it so.
        """
