"""Service models of AWS as botocore ships them: the values that each API takes."""

from functools import cache
from typing import Any

from botocore.loaders import Loader  # type: ignore[import-untyped]


@cache
def shapes(service: str) -> dict[str, Any]:
    """Shapes of the service's newest API version."""
    model = Loader().load_service_model(service, "service-2")
    found: dict[str, Any] = model["shapes"]
    return found


def values(service: str, shape: str) -> frozenset[str]:
    """Values of an enumeration."""
    return frozenset(shapes(service)[shape]["enum"])


def members(service: str, shape: str) -> frozenset[str]:
    """Names of a structure's members."""
    return frozenset(shapes(service)[shape]["members"])
