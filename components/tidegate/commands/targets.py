"""Which resources belong to one service, so that `pulumi up` can be asked for these alone.

A pattern would be shorter and could catch a service whose name begins alike; a URN names exactly
one resource. They are taken from the state, or from a preview of the program.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tidegate.spec.errors import SpecError

SERVICE_TYPE = "tidegate:serving:InferenceService"
GATEWAY_TYPE = "tidegate:index:Gateway"
HOLD_TYPE = "tidegate:index:TrafficHold"


@dataclass(frozen=True)
class Resource:
    """A resource of the stack. `comes_or_goes`: an update would create, replace or delete it."""

    urn: str
    type: str
    parent: str
    provider: str
    comes_or_goes: bool

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @classmethod
    def of(cls, state: Mapping[str, Any], *, comes_or_goes: bool) -> Self:
        """From the engine's record; a provider is recorded as `<urn>::<id>`."""
        return cls(
            urn=state["urn"],
            type=state["type"],
            parent=state.get("parent", ""),
            provider=state.get("provider", "").rpartition("::")[0],
            comes_or_goes=comes_or_goes,
        )


def in_state(export: Mapping[str, Any]) -> list[Resource]:
    """The resources of `pulumi stack export`."""
    recorded = export["deployment"].get("resources") or ()
    return [Resource.of(each, comes_or_goes=False) for each in recorded]


def in_preview(preview: Mapping[str, Any]) -> list[Resource]:
    """The resources of `pulumi preview --json --show-sames`."""
    return [
        Resource.of(
            step.get("newState") or step["oldState"],
            comes_or_goes=step["op"] not in {"same", "update"},
        )
        for step in preview.get("steps", ())
    ]


def targets_of(service: str, resources: Sequence[Resource]) -> list[str]:
    """URNs of the service, of everything below it and of its provider.

    When it gains or loses a slot the gateway belongs to them, which keeps the list of declared
    revisions. Raises SpecError when there is no such service.
    """
    services = {each.name: each.urn for each in resources if each.type == SERVICE_TYPE}
    if service not in services:
        raise SpecError(
            "service",
            service,
            "the stack has no such service",
            f"one of: {', '.join(sorted(services)) or 'there is none yet'}",
        )
    own = {services[service]}
    size = 0
    while size < len(own):
        size = len(own)
        own |= {each.urn for each in resources if each.parent in own}
    children = [each for each in resources if each.urn in own]
    shared = {each.provider for each in children if each.provider}
    if any(each.comes_or_goes for each in children):
        shared |= {
            each.urn for each in resources if each.type == GATEWAY_TYPE and each.provider in shared
        }
    return sorted(own | shared)
