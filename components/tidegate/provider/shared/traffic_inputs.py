"""What a `TrafficSwitch` is given and what it tells."""

from pydantic import Field

from tidegate.provider.handler import Outputs, ResourceModel
from tidegate.spec.traffic import Affinity, SwitchStrategy
from tidegate.traffic.routes import ServiceRoutes

IN_FORCE = "in force"


class TrafficSwitchInputs(ResourceModel):
    service: str = Field(description="Service whose routes this switch owns; also its id.")
    models: list[str] = Field(min_length=1, description="Models of the service, as in the path.")
    revision: str = Field(description="Revision that takes all of the traffic.")
    standby: str | None = Field(
        default=None, description="Revision that stays referenced with weight 0."
    )
    hostnames: list[str] = Field(
        default_factory=list, description="Host names of the service; none on one machine."
    )
    strategy: SwitchStrategy = Field(
        default=SwitchStrategy(), description="How traffic moves to a revision new to the users."
    )
    affinity: Affinity | None = Field(
        default=None, description="Keeps a session on the revision that began it."
    )
    retries: int = Field(
        default=0, ge=0, description="For users' requests that never reached a server."
    )
    max_stream_seconds: float | None = Field(
        default=None, gt=0, description="Limit for one stream; none when not given."
    )
    request_timeout_seconds: float = Field(gt=0, description="Limit for one HTTP request.")
    drain_seconds: float = Field(ge=0, description="How long requests in flight may take to end.")
    retry: str | None = Field(
        default=None, min_length=3, description="Why a revision turned back may be tried again."
    )

    def routes(self) -> ServiceRoutes:
        weights = {self.revision: 100}
        if self.standby is not None:
            weights[self.standby] = 0
        return ServiceRoutes(
            service=self.service,
            models=tuple(self.models),
            weights=weights,
            hostnames=tuple(self.hostnames),
            request_timeout_seconds=self.request_timeout_seconds,
            max_stream_seconds=self.max_stream_seconds,
            retries=self.retries,
            affinity=self.affinity,
        )


class TrafficSwitchOutputs(Outputs):
    live_revision: str = Field(description="Revision that takes the traffic.")
    weights: dict[str, int] = Field(
        default_factory=dict, description="Routes in force: revision to percentage."
    )
    condition: str = Field(default=IN_FORCE, description="What is wrong with the routes, if any.")
