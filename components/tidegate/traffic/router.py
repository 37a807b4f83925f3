"""What a data plane must offer so that traffic can be moved on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tidegate.traffic.routes import ServiceRoutes


class RouterError(Exception):
    """The data plane refused or did not confirm a change; the message says what it said."""


class RoutesChangedError(RouterError):
    """Somebody else changed the service's routes meanwhile; nothing was replaced."""


class NoDataPlaneError(RouterError):
    """None of it runs: nothing can be in flight, and nothing can be confirmed."""


@dataclass(frozen=True)
class LatencyBin:
    """How many requests took from `lower_seconds` to `lower_seconds + width_seconds`."""

    lower_seconds: float
    width_seconds: float
    count: int


@dataclass(frozen=True)
class UserCounters:
    """What users of one revision have met since the router started; every number only grows.

    Requests that name their revision (a gate's, a probe's) are left out. `errors` are answers
    that are no success: HTTP from 400, gRPC other than OK, connections that broke. `latency` holds
    the successful unary requests from their first byte in to their last byte out, in ascending
    order; streams are left out of it. A request that its caller gave up is no error, and counts in
    `latency` with the time until then: a server that keeps callers waiting must not look fast.
    `latency` may be a second behind the other numbers.
    """

    requests: int
    errors: int
    retries: int
    latency: tuple[LatencyBin, ...]


class Router(Protocol):
    """One data plane. Every method may raise `RouterError`."""

    async def observe(self, service: str) -> ServiceRoutes | None:
        """The routes that the data plane really serves; None when the service has none."""

    async def apply(self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None) -> None:
        """Replace the service's routes in one atomic step and wait until they are in force.

        With `replacing`, only when these are the routes that are recorded now; raises
        `RoutesChangedError` otherwise.
        """

    async def withdraw(self, service: str) -> None:
        """Remove the service's routes."""

    async def is_healthy(self, revision: str) -> bool:
        """Whether the data plane itself considers the revision able to serve."""

    async def active_requests(self, revision: str) -> int:
        """Requests and streams in flight to the revision, over every protocol."""

    async def open_requests(self, revision: str) -> Mapping[str, int]:
        """Those in flight by protocol ("http", "grpc"), for saying what was cut."""

    async def user_counters(self, revision: str) -> UserCounters:
        """What users of the revision have met since the data plane started."""
