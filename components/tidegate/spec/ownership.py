"""Who a resource belongs to: tags on AWS, labels on Google Cloud."""

from typing import Annotated

from pydantic import Field

from tidegate.spec.signature import SpecModel
from tidegate.spec.text_rules import matching

OwnerValue = Annotated[
    str,
    matching(
        r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?",
        "Google Cloud takes no such label",
        "lower-case letters, digits, '-' and '_', at most 63, such as platform",
    ),
]
OwnerKey = Annotated[
    str,
    matching(
        r"[a-z][a-z0-9_-]{0,62}",
        "Google Cloud takes no such key of a label",
        "lower-case letters, digits, '-' and '_', at most 63, a letter first, such as cost-center",
    ),
]


class Ownership(SpecModel):
    """The same on every resource of a cluster. `model` is the one it serves, or shared."""

    owner: OwnerValue
    team: OwnerValue
    environment: OwnerValue
    model: OwnerValue = "shared"
    more: dict[OwnerKey, OwnerValue] = Field(default_factory=dict)

    def labels(self) -> dict[str, str]:
        """Fit for both clouds."""
        return {
            **self.more,
            "owner": self.owner,
            "team": self.team,
            "model": self.model,
            "environment": self.environment,
            "managed-by": "tidegate",
        }
