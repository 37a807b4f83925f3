"""What a service's routes say, free of any router."""

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.spec.traffic import Affinity

REVISION_HEADER = "x-tidegate-revision"
"""Header of every answer: the revision that gave it. In a request: the one that must answer."""

SERVICE_HEADER = "x-tidegate-service"
"""Request header (gRPC metadata) that names the service where the path cannot."""


@dataclass(frozen=True)
class ServiceRoutes:
    """Routes of one service.

    `weights` maps revision ids to percentages that add up to 100. A revision with weight 0 is
    referenced and takes no traffic: the standby. A request that names a revision in
    REVISION_HEADER goes to that revision's server and nowhere else, whatever its weight; neither
    retries nor affinity apply to it. `retries` is how often the gateway repeats a user's request
    that never reached a server. `max_stream_seconds` ends streams that last longer; None does not.
    With `affinity` a session stays on the revision that began it while that has a weight above 0,
    or is one of `finishing`, which take no new sessions. `hostnames` are those that users ask for,
    where a gateway serves several; empty means any.
    """

    service: str
    models: tuple[str, ...]
    weights: Mapping[str, int]
    request_timeout_seconds: float
    max_stream_seconds: float | None = None
    retries: int = 0
    affinity: Affinity | None = None
    finishing: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()

    @property
    def live_revision(self) -> str | None:
        """The revision with the largest share, None when nothing takes traffic."""
        taking = {revision: weight for revision, weight in self.weights.items() if weight > 0}
        return max(taking, key=lambda revision: taking[revision]) if taking else None

    def references(self, revision: str) -> bool:
        """Whether a route points at the revision, with weight 0 or more."""
        return revision in self.weights

    def keeps_sessions(self, revision: str) -> bool:
        """Whether requests of sessions that the revision began still go to it."""
        if self.affinity is None:
            return False
        return self.weights.get(revision, 0) > 0 or revision in self.finishing
