"""What a stack is doing, as the person on call reads it, on any platform."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Override

Role = Literal["live", "standby", "not routed"]


@dataclass(frozen=True)
class RevisionStatus:
    """One slot.

    `servers_ready` of `servers` can take requests. `requests_per_second` is what the gateway sent
    to it in the last second, None where that is not known. `gate` is the last verdict in a word,
    "ungated" or "running"; `verdict` says it in a sentence.
    """

    service: str
    revision: str
    release: str
    role: Role
    weight: int
    healthy: bool
    servers_ready: int
    servers: int
    requests_per_second: float | None
    gate: str
    verdict: str


@dataclass(frozen=True)
class SwitchStatus:
    """What of a service's traffic is not settled: a switch under way, a move past the stack."""

    service: str
    under_way: str | None
    override: Override | None


@dataclass(frozen=True)
class StackStatus:
    """A whole stack. `gateway` is None when the stack has none.

    `problems` say why the gateway does not serve, what is wrong with routes, and what could not
    be found out.
    """

    gateway: str | None
    gateway_serving: bool
    revisions: Sequence[RevisionStatus]
    switches: Sequence[SwitchStatus]
    problems: Sequence[str] = ()


def in_order(revisions: Sequence[RevisionStatus]) -> list[RevisionStatus]:
    """By service, who takes most of the traffic first."""
    return sorted(revisions, key=lambda each: (each.service, -each.weight, each.revision))


def role_of(routes: ServiceRoutes | None, revision: str) -> Role:
    if routes is None or not routes.references(revision):
        return "not routed"
    return "live" if routes.weights[revision] > 0 else "standby"


def weight_of(routes: ServiceRoutes | None, revision: str) -> int:
    return routes.weights.get(revision, 0) if routes is not None else 0
