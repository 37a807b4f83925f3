"""How the nodes of a pool are bought: on demand, spot, or from one of the reserved kinds."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from tidegate.spec.signature import SpecModel

MAX_FLEX_SECONDS = 7 * 86400
"""https://cloud.google.com/kubernetes-engine/docs/concepts/dws: at most seven days."""

BLOCK_SHORT_DAYS = 14
BLOCK_LONGEST_DAYS = 182
BLOCKS_MAX_INSTANCES = 256
"""Capacity Blocks: up to 14 days in steps of one, up to 182 in steps of seven; 256 instances in
all blocks of an organization. What else differs by type is in the catalogue.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-capacity-blocks.html"""


class _Unreserved(SpecModel):
    """Kinds that no cloud combines with a reservation, nor with spot."""

    @model_validator(mode="before")
    @classmethod
    def _stands_alone(cls, content: object) -> object:
        if isinstance(content, dict):
            kind = content.get("kind")
            if "reservation" in content:
                raise ValueError(
                    f"{kind} nodes come from no reservation: write kind: reservation, or leave "
                    "the reservation out"
                )
            if "spot" in content:
                raise ValueError(f"{kind} nodes are not spot: write kind: spot, or leave spot out")
        return content


class OnDemand(_Unreserved):
    kind: Literal["onDemand"] = "onDemand"


class Spot(_Unreserved):
    """Cheaper nodes that the cloud may take back at any time."""

    kind: Literal["spot"] = "spot"


class Reservation(SpecModel):
    """`reservation` is the name on Google Cloud; on AWS the id (`cr-…`) or a group's ARN.

    Google Cloud alone: `project` that owns it, when it is not the cluster's, and `block` of a
    reservation that is divided into blocks.
    """

    kind: Literal["reservation"] = "reservation"
    reservation: str = Field(min_length=1)
    project: str | None = None
    block: str | None = None
    ends: AwareDatetime | None = None


class CapacityBlock(SpecModel):
    """A Capacity Block for ML of AWS: bought for a time, in one zone.

    `reservation` is its id (`cr-…`), or the ARN of a resource group of several in that zone: then
    `starts` is when the last of them starts, and `ends` when the first of them ends.
    """

    kind: Literal["capacityBlock"] = "capacityBlock"
    reservation: str = Field(min_length=1)
    zone: str = Field(min_length=1)
    starts: AwareDatetime
    ends: AwareDatetime


class FlexStart(_Unreserved):
    """Google's Dynamic Workload Scheduler: nodes when there is room, for a limited time."""

    kind: Literal["flexStart"] = "flexStart"
    max_run_seconds: int = Field(default=MAX_FLEX_SECONDS, ge=600)


class Queued(_Unreserved):
    """Queued provisioning of GKE: all nodes of a job at once, once there is room for all."""

    kind: Literal["queued"] = "queued"
    max_run_seconds: int = Field(default=MAX_FLEX_SECONDS, ge=600)
    flex_start: bool = False


Capacity = Annotated[
    OnDemand | Spot | Reservation | CapacityBlock | FlexStart | Queued,
    Field(discriminator="kind"),
]
