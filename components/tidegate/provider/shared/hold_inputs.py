"""What a `TrafficHold` is given and what it tells."""

from pydantic import Field

from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import Outputs, ResourceModel
from tidegate.traffic.routes import ServiceRoutes


class TrafficHoldInputs(ResourceModel):
    service: str
    revision: str = Field(description="Revision whose slot is held; also the resource's id.")
    drain_seconds: float = Field(ge=0, description="How long requests in flight may take to end.")


class TrafficHoldOutputs(Outputs):
    drain_limit_seconds: float = Field(description="The limit that a deletion will apply.")
    service: str | None = Field(default=None, description="Service of the held revision.")


def refuse_while_routed(revision: str, routes: ServiceRoutes) -> None:
    """Raise ProviderError while these routes mention the revision, with weight 0 as well."""
    if routes.references(revision):
        raise ProviderError(
            f"{revision} stays: the routes of {routes.service} mention it with "
            f"{routes.weights[revision]}%. It goes once the traffic has moved to "
            "another revision; mend what keeps the switch from moving it"
        )
