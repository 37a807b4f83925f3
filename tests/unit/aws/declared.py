"""What a cluster on AWS declares, without an engine and without a cloud."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.unit.components.examples import cloud_options
from tests.unit.components.recording import Registration, record
from tests.unit.spec.cluster_documents import NOW, Document
from tidegate.aws.gpu_cluster import GpuCluster, GpuClusterArgs
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.workload_identity import WorkloadIdentity

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
PLACEMENT = "aws:ec2/placementGroup:PlacementGroup"
SCHEDULE = "aws:autoscaling/schedule:Schedule"
RELEASE = "kubernetes:helm.sh/v3:Release"


@dataclass(frozen=True)
class Declarations:
    """Everything that a program declared, in its order. Names are without the cluster's."""

    resources: list[Registration]

    def of(self, type_name: str) -> dict[str, dict[str, Any]]:
        """Inputs of the type's resources by name."""
        return {
            each.name.removeprefix("prod-"): each.inputs
            for each in self.resources
            if each.type == type_name
        }

    def urns_of(self, type_name: str) -> dict[str, str]:
        """URNs of the type's resources by name."""
        return {
            each.name.removeprefix("prod-"): each.urn
            for each in self.resources
            if each.type == type_name
        }

    def registration(self, type_name: str, name: str) -> Registration:
        """The one resource, with what it depends on and ignores."""
        (found,) = (
            each
            for each in self.resources
            if each.type == type_name and each.name == f"prod-{name}"
        )
        return found

    def only(self, type_name: str, name: str = "gpus") -> dict[str, Any]:
        return self.of(type_name)[name]


def declare(document: Document, *workloads: WorkloadIdentity, now: datetime = NOW) -> Declarations:
    """What the cluster of a plan declares."""
    args = GpuClusterArgs(plan=parse_cluster(document), workloads=workloads, now=now)
    recording = record(lambda: GpuCluster("prod", args, cloud_options(GpuCluster)))
    return Declarations(recording.resources)
