"""What a service's routes are instead of what is declared, in words."""

from collections.abc import Mapping
from dataclasses import fields

from tidegate.local.stack import LocalStack
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes


async def damage(stack: LocalStack) -> list[str]:
    """What keeps Envoy from serving the routes that are written down; empty when nothing does."""
    files = stack.gateway.discovery
    found = []
    if not files.routes_file.exists():
        found.append("the route file was deleted")
    elif not files.routes_are_as_recorded():
        found.append("the route file was edited by hand")
    if not await stack.gateway.is_serving():
        return [*found, "Envoy is down"]
    try:
        if not found and await stack.gateway.admin().routes_version() != files.routes_version():
            found.append("Envoy serves other routes than those written down")
    except RouterError as error:
        found.append(str(error))
    return found


def differences(recorded: ServiceRoutes | None, declared: ServiceRoutes) -> list[str]:
    """How the routes that are written down differ from those declared."""
    if recorded is None:
        return [f"{declared.service} has no routes"]
    found = _weight_differences(recorded.weights, declared.weights)
    for field in fields(ServiceRoutes):
        is_, should = getattr(recorded, field.name), getattr(declared, field.name)
        if field.name != "weights" and is_ != should:
            found.append(f"{field.name.replace('_', ' ')}: {is_}, declared {should}")
    return found


def _weight_differences(recorded: Mapping[str, int], declared: Mapping[str, int]) -> list[str]:
    return [
        f"{revision} has {_weight(recorded, revision)}, declared {_weight(declared, revision)}"
        for revision in sorted({*recorded, *declared})
        if recorded.get(revision) != declared.get(revision)
    ]


def _weight(weights: Mapping[str, int], revision: str) -> str:
    return f"{weights[revision]}%" if revision in weights else "no route"
