"""What a data plane must offer so that traffic can be moved on it."""

from typing import Protocol

from tidegate.traffic.routes import ServiceRoutes


class RouterError(Exception):
    """The data plane refused or did not confirm a change; the message says what it said."""


class Router(Protocol):
    """One data plane. Every method may raise `RouterError`."""

    async def observe(self, service: str) -> ServiceRoutes | None:
        """The routes that the data plane really serves; None when the service has none."""

    async def apply(self, routes: ServiceRoutes) -> None:
        """Replace the service's routes in one atomic step and wait until they are in force."""

    async def withdraw(self, service: str) -> None:
        """Remove the service's routes."""

    async def is_healthy(self, revision: str) -> bool:
        """Whether the data plane itself considers the revision able to serve."""

    async def active_requests(self, revision: str) -> int:
        """Requests and streams in flight to the revision, over every protocol."""
