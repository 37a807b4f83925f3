"""Whether two programs ask the clouds for the same."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.cloud.harness.project import CloudProject
from tidegate.provider.values import UNKNOWN_SENTINEL

Inputs = Mapping[tuple[str, str], Any]
"""Of each resource, by type and name."""

DIGITS = re.compile("-[0-9a-f]{7}(?![0-9a-f])")
"""What a provider adds to a name: they follow from the URN, in which components differ."""


def previewed(project: CloudProject) -> Inputs:
    """Inputs that the clouds' providers have checked in a preview."""
    output = project.pulumi("preview", "--json", "--stack", project.stack).output
    digest, _ = json.JSONDecoder().raw_decode(output, output.index("{\n"))
    states = [each["newState"] for each in digest["steps"]]
    return {
        (each["type"], each["urn"].rpartition("::")[2]): each.get("inputs", {})
        for each in states
        if each.get("custom")
    }


def check_same(own: Inputs, by_hand: Inputs) -> None:
    """Raises AssertionError for resources that only one program declares, or with other inputs."""
    assert own.keys() == by_hand.keys(), own.keys() ^ by_hand.keys()
    differing = [
        f"{key} {path}: {one!r} instead of {other!r}"
        for key, inputs in own.items()
        for path, one, other in _differences(inputs, by_hand[key], "")
    ]
    assert not differing, differing


def _differences(own: Any, by_hand: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(own, dict) and isinstance(by_hand, dict):
        for name in sorted(own.keys() | by_hand.keys()):
            yield from _differences(own.get(name), by_hand.get(name), f"{path}.{name}")
    elif isinstance(own, list) and isinstance(by_hand, list) and len(own) == len(by_hand):
        for number, (one, other) in enumerate(zip(own, by_hand, strict=True)):
            yield from _differences(one, other, f"{path}.{number}")
    # A program by hand may know a name beforehand that ours takes from the resource.
    elif own != UNKNOWN_SENTINEL and _told(own) != _told(by_hand):
        yield path, own, by_hand


def _told(value: Any) -> Any:
    return DIGITS.sub("", value) if isinstance(value, str) else value
