"""A cluster with GPUs, in one document for every cloud."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from tidegate.spec.catalogue import Cloud
from tidegate.spec.errors import SpecError
from tidegate.spec.network_plan import Cidr, NetworkPlan, regional_zones
from tidegate.spec.node_pool import NodePool, SystemPool
from tidegate.spec.ownership import Ownership
from tidegate.spec.refusals import parse
from tidegate.spec.signature import SpecModel
from tidegate.spec.storage_tiers import StorageTiers
from tidegate.spec.text_rules import matching

_NAME = matching(
    r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?",
    "names of the cluster's resources begin with it, and clouds take no other",
    "lower-case letters, digits and '-', at most 30, a letter first, such as gpu-prod",
)
_REGION = matching(
    r"[a-z]+(-[a-z]+)+-?[0-9]+", "no region is called so", "one such as us-east-1 or us-central1"
)
_VERSION = matching(
    r"1\.[1-9][0-9]", "it is no minor version of Kubernetes", 'such as "1.34", in quotes'
)
_GKE_VERSION = matching(
    r"1\.[1-9][0-9]\.[0-9]+-gke\.[0-9]+",
    "it is no whole version of GKE",
    "one such as 1.34.1-gke.1829001",
)


class ClusterPlan(SpecModel):
    """`admin_cidrs` may reach the Kubernetes API from outside; none means from inside only.

    `private_admin_cidrs`, on AWS: ranges of the VPC, or of networks joined to it by peering, a
    transit gateway or a VPN, that may reach the API's private address beside the nodes.

    `admins`: ARNs of IAM roles and users that may do everything in a cluster on AWS, beside whoever
    makes it. Who runs the first `up` is one already, and EKS refuses a second entry for them; on
    Google Cloud IAM says it. `protect` keeps what loses data from being deleted: the
    cluster, its keys, its buckets. `project` is Google Cloud's.
    """

    name: Annotated[str, _NAME]
    cloud: Cloud
    region: Annotated[str, _REGION]
    zones: tuple[str, ...] = Field(min_length=1, max_length=6)
    project: str | None = None
    kubernetes_version: Annotated[str, _VERSION] = "1.34"
    gke_version: Annotated[str, _GKE_VERSION] | None = None
    network: NetworkPlan = NetworkPlan()
    system: SystemPool = SystemPool()
    pools: tuple[NodePool, ...] = ()
    storage: StorageTiers = StorageTiers()
    ownership: Ownership
    protect: bool = True
    admin_cidrs: tuple[Cidr, ...] = ()
    private_admin_cidrs: tuple[Cidr, ...] = ()
    admins: tuple[str, ...] = ()

    @property
    def control_plane_zones(self) -> tuple[str, ...]:
        """Zones that the control plane can have subnets in: no Local Zones of AWS."""
        return self.zones if self.cloud == "gcp" else regional_zones(self.region, self.zones)


def parse_cluster(content: object, source: str = "cluster") -> ClusterPlan:
    """The plan of plain data. Raises SpecError; says nothing yet about what a cloud offers."""
    return parse(ClusterPlan, content, source)


def load_cluster(path: Path) -> ClusterPlan:
    """Raises SpecError for a file that is no plan."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SpecError(str(path), None, str(error), "a readable YAML file") from error
    return parse_cluster(content, str(path))
