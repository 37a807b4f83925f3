"""A group of alike nodes with GPUs, the same document on every cloud."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from tidegate.spec.capacity import Capacity, OnDemand
from tidegate.spec.catalogue import Cloud, MachineType, gpu_model, machine_type, machine_types
from tidegate.spec.errors import SpecError
from tidegate.spec.fabric import Fabric
from tidegate.spec.node_settings import Disks, Image, Taint, Upgrade
from tidegate.spec.sharing import Sharing
from tidegate.spec.signature import SpecModel
from tidegate.spec.text_rules import matching

Purpose = Literal["training", "inference"]
# GKE allows 40 characters that begin with a letter; EKS allows more.
PoolName = Annotated[
    str,
    matching(
        r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?",
        "GKE takes no such name of a pool",
        "lower-case letters, digits and '-', at most 40, a letter first, such as h100-training",
    ),
]
LabelValue = Annotated[
    str,
    matching(
        r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?",
        "Kubernetes takes no such value of a label",
        "at most 63 letters, digits, '-', '_' and '.', such as team-a",
    ),
]
LabelKey = Annotated[
    str,
    matching(
        r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?",
        "Kubernetes takes no such key of a label",
        "a name of at most 63 letters, digits, '-', '_' and '.', such as example.com/team",
    ),
]


class Accelerators(SpecModel):
    """Names the GPUs instead of a machine type: `per_node` GPUs of `model` in every node."""

    model: str
    per_node: int = Field(ge=1)


class NodeRange(SpecModel):
    """The number of nodes an autoscaler keeps to, over all zones."""

    min: int = Field(ge=0)
    max: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise SpecError("max", self.max, f"the min is {self.min}", f"max: {self.min} or more")
        return self

    def first_by_zone(self, zones: int) -> int:
        """How many nodes each of so many zones starts with on GKE: the `min`, rounded up.

        GKE's autoscaler looks at the minimum when it removes nodes, and never adds any for it:
        https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-autoscaler#node_pool_size_mismatching
        """
        return -(-self.min // zones)


def _form_of_nodes(value: object) -> str:
    return "range" if isinstance(value, dict | NodeRange) else "count"


# Told apart first, so that a fault in one form is not reported as one of the other.
Nodes = Annotated[
    Annotated[int, Field(ge=1, le=1000), Tag("count")] | Annotated[NodeRange, Tag("range")],
    Discriminator(_form_of_nodes),
]


class Placement(SpecModel):
    """`compact`: nodes close together, in a cluster placement group or by a compact policy.

    Google Cloud alone: `topology` of an accelerator's NVLink domain, such as 1x72, and
    `policy_name` of a resource policy that exists already. Either is compact placement too.
    """

    compact: bool = False
    topology: str | None = None
    policy_name: str | None = None


class NodePool(SpecModel):
    """Nodes for training or for inference, never for both.

    Exactly one of `machine_type` and `accelerators`. `nodes` is a fixed count or a range. Without
    `zones` the pool has all of the cluster's. `max_pods` bounds the pods of a node. `repair`
    replaces unhealthy nodes; None is the cloud's usual. `elastic`, on AWS: Karpenter adds and
    removes nodes instead of a node group.
    """

    name: PoolName
    purpose: Purpose
    machine_type: str | None = None
    accelerators: Accelerators | None = None
    nodes: Nodes
    zones: tuple[str, ...] = ()
    fabric: Fabric = Fabric()
    capacity: Capacity = OnDemand()
    sharing: Sharing = Sharing()
    placement: Placement = Placement()
    disks: Disks = Disks()
    image: Image = Image()
    taints: tuple[Taint, ...] = ()
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    max_pods: int = Field(default=110, ge=8, le=256)
    repair: bool | None = None
    upgrade: Upgrade = Upgrade()
    elastic: bool = False

    @model_validator(mode="after")
    def _one_way_to_name_the_machine(self) -> Self:
        if (self.machine_type is None) == (self.accelerators is None):
            neither = self.machine_type is None
            raise SpecError(
                "machineType",
                self.machine_type,
                "the pool names no machine" if neither else "accelerators name a machine as well",
                "either machineType or accelerators: {model, perNode}",
            )
        return self

    @property
    def is_static(self) -> bool:
        return isinstance(self.nodes, int)

    @property
    def nodes_min(self) -> int:
        return self.nodes if isinstance(self.nodes, int) else self.nodes.min

    @property
    def nodes_max(self) -> int:
        return self.nodes if isinstance(self.nodes, int) else self.nodes.max

    def machine(self, cloud: Cloud) -> MachineType:
        """Raises SpecError when the cloud has no such type, or several fit the accelerators."""
        if self.machine_type is not None:
            return machine_type(cloud, self.machine_type)
        if self.accelerators is None:
            raise SpecError("machineType", None, "the pool names no machine", "a machineType")
        return _machine_with(cloud, self.accelerators)


class SystemPool(SpecModel):
    """Nodes without GPUs, for what every cluster runs. `machine_type` None: the cloud's usual."""

    machine_type: str | None = None
    nodes: NodeRange = NodeRange(min=3, max=6)
    disk_gib: int = Field(default=100, ge=50, le=16384)


def _machine_with(cloud: Cloud, wanted: Accelerators) -> MachineType:
    gpu_model(wanted.model)
    of_model = [each for each in machine_types(cloud) if each.gpu.model == wanted.model]
    fitting = [each for each in of_model if each.gpu.count == wanted.per_node]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(each.name for each in fitting)
        why = f"{len(fitting)} machine types of {cloud} have them"
        raise SpecError("accelerators", _text(wanted), why, f"machineType: one of {names}")
    if of_model:
        counts = ", ".join(str(count) for count in sorted({each.gpu.count for each in of_model}))
        why = f"no machine type of {cloud} has {wanted.per_node} of them"
        raise SpecError("accelerators.perNode", wanted.per_node, why, f"one of {counts}")
    models = ", ".join(sorted({each.gpu.model for each in machine_types(cloud)}))
    why = f"no machine type of {cloud} has this GPU"
    raise SpecError("accelerators.model", wanted.model, why, f"one of {models}")


def _text(wanted: Accelerators) -> str:
    return f"{wanted.per_node} x {wanted.model}"
