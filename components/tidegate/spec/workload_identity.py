"""Which pods of a cluster may use its object bucket, told by their service account."""

from typing import Literal

from pydantic import Field

from tidegate.spec.signature import SpecModel

_DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

BucketAccess = Literal["read", "append", "write"]


class WorkloadIdentity(SpecModel):
    """Pods with this service account; no key is involved.

    `access`: `read`, `append` (reads, and writes new objects only, as evidence needs) or `write`.
    """

    namespace: str = Field(pattern=_DNS_LABEL)
    service_account: str = Field(pattern=_DNS_LABEL)
    access: BucketAccess = "read"

    @property
    def name(self) -> str:
        return f"{self.namespace}-{self.service_account}"
