"""A revision: a release plus what an environment decides about serving it."""

from functools import cached_property

from pydantic import Field

from tidegate.spec.digests import canonical_json, digest_bytes
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Release
from tidegate.spec.serving_on_kubernetes import PLATFORM as KUBERNETES
from tidegate.spec.serving_on_kubernetes import ExistingServing, KubernetesServing
from tidegate.spec.signature import SpecModel

ID_LIMIT = 63  # a DNS label (RFC 1035)
GROUP_ID_LIMIT = 48
"""Of a LeaderWorkerSet: it makes StatefulSets <id>-<replica>, whose pods have this name, "-" and a
hash of up to ten characters in a label, which holds 63."""
HASH_DIGITS = 8


class Probes(SpecModel):
    """How readiness is judged.

    `ready_timeout_seconds`: from the start of the server to its models being ready.
    `health_interval_seconds`: between the gateway's health checks.
    """

    ready_timeout_seconds: float = Field(default=60, gt=0, le=3600)
    health_interval_seconds: float = Field(default=1, gt=0, le=60)


class Revision(SpecModel):
    """Immutable: any other release or serving decision is another revision.

    On a cluster either `kubernetes` says how it is served, or `existing` who serves it.
    """

    platform: str
    release: Release
    probes: Probes
    kubernetes: KubernetesServing | None = None
    existing: ExistingServing | None = None

    @property
    def service(self) -> str:
        return self.release.service

    @property
    def accelerator_pool(self) -> str | None:
        """Pool that it takes accelerators of; None on one machine."""
        serving = self.kubernetes or self.existing
        return serving.pool if serving is not None else None

    @cached_property
    def id(self) -> str:
        """`<service>-<release>-<8 hex of SHA-256>` over the canonical JSON of all of it.

        Raises SpecError when it would be no DNS label, or none that objects of a cluster can have.
        """
        content = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        digest = digest_bytes(canonical_json(content)).removeprefix("sha256:")
        name = f"{self.service}-{self.release.release}-{digest[:HASH_DIGITS]}"
        grouped = self.kubernetes is not None and self.kubernetes.nodes > 1
        limit = GROUP_ID_LIMIT if grouped else ID_LIMIT
        if len(name) > limit:
            what = "the name of a LeaderWorkerSet" if grouped else "a DNS label"
            self._refuse(
                name,
                f"has {len(name)} characters, {what} has at most {limit}",
                "a shorter name of the service or of the release",
            )
        if self.platform == KUBERNETES and not name[0].isalpha():
            self._refuse(
                name,
                "begins with a digit, and the name of a Service of a cluster with a letter",
                "a service whose name begins with a letter",
            )
        return name

    def _refuse(self, name: str, why: str, instead: str) -> None:
        release = f"{self.service}@{self.release.release}"
        raise SpecError("release", release, f"the revision's name {name!r} {why}", instead)
