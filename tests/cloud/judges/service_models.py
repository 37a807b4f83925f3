"""Service models of AWS as botocore ships them: the values that each API takes."""

import re
from collections.abc import Iterable, Mapping
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


def shape_at(service: str, request: str, path: Iterable[str]) -> str | None:
    """Name of the shape that a property of a request has; None when the request has no such one.

    Names are compared as words: Pulumi writes `subnetIds` where EC2 has a list `SubnetId`.
    """
    known = shapes(service)
    name = _of_items(known, request)
    for part in path:
        here = known[name]
        if here["type"] == "map":
            name = _of_items(known, here["value"]["shape"])
            continue
        own = {_word(each): member for each, member in here.get("members", {}).items()}
        if _word(part) not in own:
            return None
        name = _of_items(known, own[_word(part)]["shape"])
    return name


def _of_items(known: Mapping[str, Any], name: str) -> str:
    """The shape of a list's items; any other is its own."""
    while known[name]["type"] == "list":
        name = known[name]["member"]["shape"]
    return name


def _word(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower()).removesuffix("s")
