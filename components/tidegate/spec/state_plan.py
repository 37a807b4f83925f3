"""Where Pulumi keeps the state of stacks, in one document for every cloud."""

from collections.abc import Iterator

from pydantic import Field

from tidegate.spec.catalogue import Cloud
from tidegate.spec.errors import SpecError
from tidegate.spec.ownership import Ownership
from tidegate.spec.refusals import refuse
from tidegate.spec.signature import SpecModel
from tidegate.spec.storage_tiers import ObjectBucket

STATE_LABEL = "tidegate-state"


class StatePlan(SpecModel):
    """A bucket and a key. `name` begins the bucket's; `project` is Google Cloud's.

    `protect` keeps both from being deleted: without them no stack knows what it has made.
    """

    name: str = Field(pattern=r"^[a-z]([a-z0-9-]{1,28}[a-z0-9])$")
    cloud: Cloud
    region: str = Field(pattern=r"^[a-z]+(-[a-z]+)+-?[0-9]+$")
    project: str | None = None
    ownership: Ownership
    protect: bool = True

    @property
    def bucket(self) -> ObjectBucket:
        """Never locked: Pulumi replaces and deletes what it has written."""
        return ObjectBucket(name_prefix=self.name)

    @property
    def labels(self) -> dict[str, str]:
        return {**self.ownership.labels(), STATE_LABEL: self.name}


def state_errors(plan: StatePlan) -> Iterator[SpecError]:
    """What the cloud would refuse."""
    if plan.cloud == "aws" and plan.project is not None:
        yield SpecError("project", plan.project, "it is Google Cloud's", "leave it out on AWS")
    if plan.cloud == "gcp" and plan.project is None:
        yield SpecError(
            "project",
            None,
            "everything on Google Cloud is in a project",
            "the id of yours, such as ml-staging",
        )


def check_state(plan: StatePlan, cloud: Cloud) -> None:
    """Raise SpecError for another cloud's plan, and for one with findings."""
    if plan.cloud != cloud:
        raise SpecError(
            "cloud",
            plan.cloud,
            f"this component makes buckets on {cloud}",
            f"cloud: {cloud}, or StateBucket of tidegate.{plan.cloud}.state_bucket",
        )
    refuse(state_errors(plan))
