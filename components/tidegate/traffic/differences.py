"""How routes differ from those declared, in words."""

from collections.abc import Mapping
from dataclasses import fields

from tidegate.traffic.routes import ServiceRoutes


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
