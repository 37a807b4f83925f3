"""What a cluster with GPUs hands to the platform on it, in the same stack or in another one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import pulumi
from pydantic import ConfigDict, Field

from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.errors import SpecError
from tidegate.spec.refusals import parse
from tidegate.spec.signature import SpecModel

EVIDENCE_FOLDER = "evidence"


class GpuCluster(Protocol):
    """As much of the clouds' components as a platform uses."""

    @property
    def cluster_name(self) -> pulumi.Output[str]: ...
    @property
    def kubeconfig(self) -> pulumi.Output[str]: ...
    @property
    def pools(self) -> tuple[AcceleratorPool, ...]: ...
    @property
    def storage_classes(self) -> Mapping[str, str]: ...
    @property
    def release_bucket_url(self) -> pulumi.Output[str] | None: ...
    @property
    def registry_url(self) -> pulumi.Output[str]: ...


@dataclass(frozen=True, kw_only=True)
class ClusterOutputs:
    """Nothing of it is a secret.

    `pools` and `storage_classes` are plain values, which a preview checks; the rest may be unknown
    until the cluster is made. Another program's stack may have the kubeconfig alone.
    """

    kubeconfig: pulumi.Input[str]
    cluster_name: pulumi.Input[str] | None = None
    pools: tuple[AcceleratorPool, ...] = ()
    storage_classes: Mapping[str, str] = field(default_factory=dict)
    release_bucket_url: pulumi.Input[str] | None = None
    registry_url: pulumi.Input[str] | None = None

    @classmethod
    def of(cls, cluster: GpuCluster) -> Self:
        """Those of a cluster that the same program makes."""
        return cls(
            cluster_name=cluster.cluster_name,
            kubeconfig=cluster.kubeconfig,
            pools=cluster.pools,
            storage_classes=cluster.storage_classes,
            release_bucket_url=cluster.release_bucket_url,
            registry_url=cluster.registry_url,
        )

    @classmethod
    def of_stack(cls, stack: str, values: Mapping[str, Any]) -> Self:
        """Those that a stack has put out, as `exported` names them; None for what is missing.

        Raises SpecError for a stack that has made no cluster.
        """
        given = {name: value for name, value in values.items() if value is not None}
        if "kubeconfig" not in given:
            raise SpecError(
                "clusterStack",
                stack,
                "the stack has no output `kubeconfig`",
                "`pulumi up` of that stack first, or the name of the stack that made the cluster",
            )
        found = parse(_Exported, given, f"clusterStack: outputs of {stack}")
        return cls(**{name: getattr(found, name) for name in _Exported.model_fields})

    def exported(self) -> dict[str, Any]:
        """Outputs of the cluster's stack, which `of_stack` reads in another one."""
        return {
            "clusterName": self.cluster_name,
            "kubeconfig": self.kubeconfig,
            "pools": [each.model_dump(mode="json", by_alias=True) for each in self.pools],
            "storageClasses": dict(self.storage_classes),
            "releaseBucketUrl": self.release_bucket_url,
            "registryUrl": self.registry_url,
        }


async def outputs_of_stack(stack: str) -> ClusterOutputs:
    """Those of the stack that made the cluster. Raises SpecError as `of_stack`.

    Awaited, because pools must be plain values: a preview checks what services ask of them.
    """
    reference = pulumi.StackReference(stack)
    details = {name: await reference.get_output_details(name) for name in EXPORTED}
    values = {
        name: each.secret_value if each.value is None else each.value
        for name, each in details.items()
    }
    return ClusterOutputs.of_stack(stack, values)


def evidence_in(bucket_url: pulumi.Input[str], environment: str) -> pulumi.Output[str]:
    """Where an environment's evidence lies in the cluster's bucket."""
    return pulumi.Output.concat(bucket_url, f"/{EVIDENCE_FOLDER}/{environment}")


class _Exported(SpecModel):
    """`ClusterOutputs` as plain data; a stack may put out more."""

    model_config = ConfigDict(extra="ignore")

    kubeconfig: str
    cluster_name: str | None = None
    pools: tuple[AcceleratorPool, ...] = ()
    storage_classes: dict[str, str] = Field(default_factory=dict)
    release_bucket_url: str | None = None
    registry_url: str | None = None


EXPORTED = tuple(str(each.alias) for each in _Exported.model_fields.values())
"""Names of the outputs."""
