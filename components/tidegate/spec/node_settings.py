"""What one node of a pool is made of: disks, image, taints, and how it is replaced."""

import re
from typing import Annotated, Literal

from pydantic import Field

from tidegate.spec.catalogue import Architecture
from tidegate.spec.signature import SpecModel
from tidegate.spec.text_rules import matching

ImageFamily = Literal["al2023", "bottlerocket", "cos", "ubuntu"]
LocalDiskUse = Literal["raid0", "ephemeral", "block", "none"]

AWS_IMAGES: dict[tuple[ImageFamily, Architecture], str] = {
    ("al2023", "x86_64"): "AL2023_x86_64_NVIDIA",
    ("al2023", "arm64"): "AL2023_ARM_64_NVIDIA",
    ("bottlerocket", "x86_64"): "BOTTLEROCKET_x86_64_NVIDIA",
    ("bottlerocket", "arm64"): "BOTTLEROCKET_ARM_64_NVIDIA",
}
"""AMI types of EKS that carry NVIDIA's driver."""

GKE_IMAGES: dict[ImageFamily, str] = {"cos": "COS_CONTAINERD", "ubuntu": "UBUNTU_CONTAINERD"}

_GRAVITON = re.compile(r"(a1|[a-z]+[0-9]+[a-z]*g[a-z]*)\.")
"""After the generation comes a `g`: m7g, c7gn, im4gn, g5g. Before it, g6e, it is the family."""

AWS_BOOT_DISKS = ("gp3",)
"""io1 and io2 need IOPS beside the size, which nobody needs of a boot disk."""


class Disks(SpecModel):
    """`boot_type` None is the first that the machine type takes.

    `local` disks: `raid0` joins them (AWS), `ephemeral` gives them to pods' scratch space and
    `block` leaves them raw (Google Cloud); None is the first of these when the type has any.
    """

    boot_gib: int = Field(default=200, ge=50, le=16384)
    boot_type: str | None = None
    local: LocalDiskUse | None = None


class Image(SpecModel):
    """None: the cloud's usual family, and the architecture of the machine type.

    `driver`, on Google Cloud: the version of NVIDIA's driver that GKE installs; `disabled` leaves
    it to the GPU operator.
    """

    family: ImageFamily | None = None
    architecture: Architecture | None = None
    driver: Literal["default", "latest", "disabled"] = "default"


class Taint(SpecModel):
    key: Annotated[
        str,
        matching(
            r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?",
            "Kubernetes takes no such key of a taint",
            "a name of at most 63 letters, digits, '-', '_' and '.', such as example.com/reserved",
        ),
    ]
    value: Annotated[
        str,
        matching(
            r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?",
            "Kubernetes takes no such value of a taint",
            "at most 63 letters, digits, '-', '_' and '.', such as team-a",
        ),
    ] = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"


class Upgrade(SpecModel):
    """`surge` replaces nodes in place, up to `max_surge` more and `max_unavailable` fewer at once.

    `blueGreen` (Google Cloud) builds the new nodes beside all the old ones.
    """

    strategy: Literal["surge", "blueGreen"] = "surge"
    max_surge: int = Field(default=0, ge=0, le=100)
    max_unavailable: int = Field(default=1, ge=0, le=100)


def aws_architecture(machine_type: str) -> Architecture:
    """Of any type of AWS, as its name tells.

    https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
    """
    return "arm64" if _GRAVITON.match(machine_type) else "x86_64"
