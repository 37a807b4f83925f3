"""Which declared pool of nodes a pod could fit on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lightkube.utils.quantity import parse_quantity
from pydantic import Field

from tidegate.provider.handler import ResourceModel
from tidegate.provider.kubernetes.diagnosis.trouble import Object


class DeclaredPool(ResourceModel):
    """Nodes as the program declares them: what one of them offers to pods."""

    name: str
    node_labels: dict[str, str] = Field(default_factory=dict)
    allocatable: dict[str, str] = Field(
        default_factory=dict, description="Quantities that one node offers, by resource."
    )


@dataclass(frozen=True)
class Pools:
    """The pool that a pod asks for, and those that the program declares."""

    asked: str | None = None
    declared: Sequence[DeclaredPool] = ()


NO_POOLS = Pools()


def requests_of(pod: Object) -> dict[str, str]:
    """What the scheduler has to find on one node: containers together, or one init container."""
    spec = pod["spec"]
    totals: dict[str, Decimal] = {}
    for container in spec["containers"]:
        for resource, quantity in _requests(container).items():
            totals[resource] = totals.get(resource, Decimal(0)) + quantity
    for container in spec.get("initContainers") or ():
        for resource, quantity in _requests(container).items():
            totals[resource] = max(totals.get(resource, Decimal(0)), quantity)
    return {resource: _shown(resource, quantity) for resource, quantity in totals.items()}


def fitting(requests: Mapping[str, str], pools: Sequence[DeclaredPool]) -> list[DeclaredPool]:
    """Pools of which an empty node offers everything that is requested."""
    return [each for each in pools if not _lacks(requests, each)]


def advice(pod: Object, pools: Pools) -> str:
    """What could be done about a pod that no node takes; empty when nothing is known."""
    if not pools.declared:
        return ""
    requests = requests_of(pod)
    names = [each.name for each in fitting(requests, pools.declared)]
    own = next((each for each in pools.declared if each.name == pools.asked), None)
    if own is not None and own.name in names:
        others = ", ".join(name for name in names if name != own.name)
        also = f"; nodes of {others}, declared as well, are large enough too" if others else ""
        return (
            f"An empty node of its pool {own.name} could take it: raise the pool's size, or free "
            f"a node of it{also}"
        )
    found = f"{', '.join(names)} could take it" if names else "none could take it"
    if own is not None:
        lacks = "; ".join(_lacks(requests, own))
        small = f"No node of its pool {own.name} is large enough ({lacks})"
        return f"{small}; of the declared pools {found}"
    wanted = ", ".join(f"{name} {quantity}" for name, quantity in sorted(requests.items()))
    return f"It requests {wanted}; of the declared pools {found}"


def _lacks(requests: Mapping[str, str], pool: DeclaredPool) -> list[str]:
    """What one node of the pool does not offer.

    A resource that the pool does not state is none of an extended one (nvidia.com/gpu), and enough
    of the others.
    """
    found = []
    for resource, quantity in sorted(requests.items()):
        offered = pool.allocatable.get(resource)
        if offered is None and "/" not in resource:
            continue
        if _number(offered) < _number(quantity):
            there = f"a node has {offered}" if offered else "of which the pool declares none"
            found.append(f"{resource} {quantity}, {there}")
    return found


def _requests(container: Object) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    # The API server sets requests from limits, a template that was never admitted lacks them.
    stated = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: _number(value) for name, value in stated.items()}


def _number(quantity: str | None) -> Decimal:
    return parse_quantity(str(quantity)) or Decimal(0) if quantity is not None else Decimal(0)


def _shown(resource: str, quantity: Decimal) -> str:
    if resource in {"memory", "ephemeral-storage"} and quantity >= 1 << 20:
        return f"{quantity / (1 << 20):.0f}Mi"
    return f"{quantity.normalize():f}"
