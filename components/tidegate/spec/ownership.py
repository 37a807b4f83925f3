"""Who a resource belongs to: tags on AWS, labels on Google Cloud."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from tidegate.spec.signature import SpecModel

_VALUE = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")


def _value(text: str) -> str:
    if not _VALUE.fullmatch(text):
        raise ValueError(
            f"write lower-case letters, digits, '-' and '_', at most 63, instead of {text!r}: "
            "Google Cloud takes no other labels"
        )
    return text


OwnerValue = Annotated[str, AfterValidator(_value)]


class Ownership(SpecModel):
    """The same on every resource of a cluster. `model` is the one it serves, or shared."""

    owner: OwnerValue
    team: OwnerValue
    environment: OwnerValue
    model: OwnerValue = "shared"
    more: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")], OwnerValue] = Field(
        default_factory=dict
    )

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
