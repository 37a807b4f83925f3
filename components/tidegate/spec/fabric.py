"""The network between the GPUs of several nodes: EFA on AWS, GPUDirect on Google Cloud."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from tidegate.spec.catalogue import EfaLayout, GpuDirect, MachineType
from tidegate.spec.errors import SpecError
from tidegate.spec.signature import SpecModel

FabricKind = Literal["none", "efa", "gpuDirect"]
FabricMode = Literal["explicit", "managed"]
InterfaceType = Literal["interface", "efa-only"]
NODE_INTERFACE = (0, 0)


class Fabric(SpecModel):
    """`interfaces` chooses among the EFA layouts of a type that has several, by their size.

    `mode`, on Google Cloud: `explicit` networks that this cluster declares, or `managed`, which
    GKE attaches (managed DRANET). `exposure`: how pods ask for EFA interfaces.
    """

    kind: FabricKind = "none"
    interfaces: int | None = Field(default=None, ge=1)
    mode: FabricMode = "explicit"
    exposure: Literal["devicePlugin", "dra"] = "devicePlugin"


@dataclass(frozen=True)
class NetworkInterface:
    """One interface of a launch template."""

    card: int
    device: int
    type: InterfaceType


@dataclass(frozen=True)
class GkeNetworks:
    """Networks of a node pool beside the nodes' own.

    `gvnic` VPCs with one subnetwork each; `rdma_subnetworks` in one VPC with the network profile
    `profile`, where `{zone}` stands for the pool's zone. All zero when GKE attaches them.
    """

    gvnic: int
    rdma_subnetworks: int
    mtu: int
    profile: str | None


def efa_layout(machine: MachineType, count: int | None) -> EfaLayout | None:
    """The layout with `count` interfaces, or the type's default. None when there is none."""
    if count is None:
        return machine.efa[0] if machine.efa else None
    return next((layout for layout in machine.efa if layout.count == count), None)


def plain_interface() -> tuple[NetworkInterface, ...]:
    """A node without a fabric."""
    card, device = NODE_INTERFACE
    return (NetworkInterface(card, device, "interface"),)


def efa_interfaces(machine: MachineType, count: int | None = None) -> tuple[NetworkInterface, ...]:
    """Every interface of a node with EFA, the node's own first.

    The node's own, on card 0, carries IP; each EFA is an EFA-only interface and takes no address
    of the subnet. On card 0 the first device is taken, so its EFA is the second one. Source:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html

    Raises SpecError when the type has no such layout.
    """
    layout = efa_layout(machine, count)
    if layout is None:
        raise no_such_layout(machine, count)
    card, device = NODE_INTERFACE
    fabric = (
        NetworkInterface(each, device + 1 if each == card else 0, "efa-only")
        for each in layout.cards
    )
    return (*plain_interface(), *fabric)


def no_such_layout(machine: MachineType, count: int | None) -> SpecError:
    if not machine.efa:
        return SpecError(
            "fabric.kind",
            "efa",
            f"{machine.name} has no Elastic Fabric Adapter",
            "fabric.kind: none, or a machineType with EFA, such as 'g6e.8xlarge' or 'p5.48xlarge'",
        )
    sizes = " or ".join(str(layout.count) for layout in machine.efa)
    return SpecError(
        "fabric.interfaces",
        count,
        f"{machine.name} has its EFA interfaces in a layout of {sizes}",
        f"fabric.interfaces: {machine.efa[0].count}, or leave it out",
    )


def gke_networks(direct: GpuDirect, mode: FabricMode) -> GkeNetworks:
    if mode == "managed":
        return GkeNetworks(gvnic=0, rdma_subnetworks=0, mtu=direct.mtu, profile=None)
    return GkeNetworks(
        gvnic=direct.gvnic_networks,
        rdma_subnetworks=direct.rdma_subnetworks,
        mtu=direct.mtu,
        profile="{zone}-vpc-roce" if direct.rdma_subnetworks else None,
    )
