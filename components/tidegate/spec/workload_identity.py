"""Which pods of a cluster may use its object bucket, told by their service account."""

from typing import Annotated, Literal

from tidegate.spec.signature import SpecModel
from tidegate.spec.text_rules import matching

_DnsLabel = Annotated[
    str,
    matching(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "Kubernetes takes no such name",
        "lower-case letters, digits and '-', at most 63, such as inference",
    ),
]

BucketAccess = Literal["read", "append", "write"]


class WorkloadIdentity(SpecModel):
    """Pods with this service account; no key is involved.

    `access`: `read`, `append` (reads, and writes new objects only, as evidence needs) or `write`.
    """

    namespace: _DnsLabel
    service_account: _DnsLabel
    access: BucketAccess = "read"

    @property
    def name(self) -> str:
        return f"{self.namespace}-{self.service_account}"
