"""Whether inputs fit the SDK's types: unknown names, wrong types, what is missing.

Not found here: values that an enumeration lacks, ranges, properties that exclude each other.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.cloud.harness.sdk_shapes import ResourceShape, Shape, Wire
from tidegate.provider.values import Unknown

_NAMES = {str: "string", bool: "bool", int: "int", float: "number", dict: "object", list: "list"}


def findings(shape: ResourceShape, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Top-level property and sentence of each fault."""
    found = []
    for path, reason in _check_object(shape, shape.inputs, inputs, ""):
        top = path.split(".")[0].split("[")[0]
        found.append((top, f"{path}: {reason}"))
    return found


def from_texts(shape: ResourceShape, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A provider's own inputs: the engine sends each of them as a string of JSON."""
    return {
        name: _from_text(shape.inputs.fields.get(name, "any"), value)
        for name, value in inputs.items()
    }


def _from_text(wire: Wire, value: Any) -> Any:
    if not isinstance(value, str) or wire in ("string", "any"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _check_object(
    shape: ResourceShape, described: Shape, value: Mapping[str, Any], path: str
) -> Iterator[tuple[str, str]]:
    prefix = f"{path}." if path else ""
    for name in sorted(value.keys() - described.fields.keys()):
        near = difflib.get_close_matches(name, described.fields, n=1)
        hint = f" (near: {near[0]})" if near else ""
        yield f"{prefix}{name}", f"unknown property of {described.name}{hint}"
    for name in sorted(described.required - value.keys()):
        yield f"{prefix}{name}", f"required by {described.name}, absent"
    for name, each in value.items():
        if name in described.fields:
            yield from _check(shape, described.fields[name], each, f"{prefix}{name}")


def _check(shape: ResourceShape, wire: Wire, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if wire == "any" or value is None or isinstance(value, Unknown):
        return
    if isinstance(wire, str):
        if not _fits(wire, value):
            yield path, f"{_NAMES.get(type(value), type(value).__name__)} given, {wire} wanted"
        return
    kind, *inner = wire
    if kind == "union":
        if all(any(_check(shape, each, value, path)) for each in inner):
            yield path, f"fits none of {len(inner)} types"
    elif kind == "object" and isinstance(value, Mapping):
        yield from _check_object(shape, shape.definitions[inner[0]], value, path)
    elif kind == "map" and isinstance(value, Mapping):
        for name, each in value.items():
            yield from _check(shape, inner[0], each, f"{path}[{name}]")
    elif kind == "list" and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _check(shape, inner[0], each, f"{path}[{number}]")
    else:
        yield path, f"{_NAMES.get(type(value), type(value).__name__)} given, {kind} wanted"


def _fits(wire: str, value: Any) -> bool:
    """As lenient as the real providers: a bool or a number may be written as text and back."""
    match wire:
        case "string":
            return isinstance(value, str | bool | int | float)
        case "bool":
            return isinstance(value, bool) or value in ("true", "false")
        case "int":
            return (isinstance(value, int) and not isinstance(value, bool)) or _is_digits(value)
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and value.removeprefix("-").isdigit()
