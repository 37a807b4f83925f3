"""A revision: a release plus what an environment decides about serving it."""

from functools import cached_property

from pydantic import Field

from tidegate.spec.digests import canonical_json, digest_bytes
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Release
from tidegate.spec.signature import SpecModel

ID_LIMIT = 63  # a DNS label (RFC 1035)
HASH_DIGITS = 8


class Probes(SpecModel):
    """How readiness is judged.

    `ready_timeout_seconds`: from the start of the server to its models being ready.
    `health_interval_seconds`: between the gateway's health checks.
    """

    ready_timeout_seconds: float = Field(default=60, gt=0, le=3600)
    health_interval_seconds: float = Field(default=1, gt=0, le=60)


class Revision(SpecModel):
    """Immutable: any other release or serving decision is another revision."""

    platform: str
    release: Release
    probes: Probes

    @property
    def service(self) -> str:
        return self.release.service

    @cached_property
    def id(self) -> str:
        """`<service>-<release>-<8 hex of SHA-256>` over the canonical JSON of all of it.

        Raises SpecError when it would not fit into a DNS label.
        """
        content = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        digest = digest_bytes(canonical_json(content)).removeprefix("sha256:")
        name = f"{self.service}-{self.release.release}-{digest[:HASH_DIGITS]}"
        if len(name) > ID_LIMIT:
            raise SpecError(
                "release",
                f"{self.service}@{self.release.release}",
                f"the revision's name {name!r} has {len(name)} characters, "
                f"a DNS label has at most {ID_LIMIT}",
                "a shorter name of the service or of the release",
            )
        return name
