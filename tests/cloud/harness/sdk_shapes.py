"""What a cloud's Python SDK says about a resource, by introspection: its inputs and outputs.

The SDKs carry no schema, but every resource has an argument class whose properties are typed. The
SDK's private helpers are used, so the version is the pinned one.
"""

import enum
import hashlib
import importlib
import importlib.util
import inspect
import json
import re
import sys
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pulumi
from pulumi import _types

# A type on the wire: "string", "int", "number", "bool", "any", or a list that starts with
# "list", "map", "object" or "union".
Wire = Any

_SCALARS: Mapping[Any, str] = {str: "string", int: "int", float: "number", bool: "bool"}


@dataclass(frozen=True)
class Shape:
    """An object's properties by wire name."""

    name: str
    fields: Mapping[str, Wire]
    required: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ResourceShape:
    """`definitions` holds every object that inputs or outputs name."""

    token: str
    inputs: Shape
    outputs: Shape
    definitions: Mapping[str, Shape]


@dataclass
class Sdk:
    """One installed SDK, `pulumi_<package>`. What was found is kept in the folder `cache`."""

    package: str
    cache: Path | None = None
    _known: dict[str, ResourceShape | None] = field(default_factory=dict)
    _classes: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def version(self) -> str:
        return version(f"pulumi-{self.package}")

    def resource(self, token: str) -> ResourceShape | None:
        """None for a type that the SDK does not have."""
        if token not in self._known:
            self._known[token] = self._cached(token)
        return self._known[token]

    def provider(self) -> ResourceShape:
        """The package's own provider resource."""
        token = f"pulumi:providers:{self.package}"
        if token not in self._known:
            module = importlib.import_module(f"pulumi_{self.package}")
            self._known[token] = _describe(token, module.Provider)
        found = self._known[token]
        assert found is not None
        return found

    def _cached(self, token: str) -> ResourceShape | None:
        path = self._path(token)
        if path is not None and path.exists():
            return _from_json(json.loads(path.read_text()))
        found = self._class_of(token)
        shape = _describe(token, found) if found is not None else None
        if path is not None and shape is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{id(shape)}")
            partial.write_text(json.dumps(_to_json(shape)))
            partial.replace(path)
        return shape

    def _path(self, token: str) -> Path | None:
        if self.cache is None:
            return None
        digest = hashlib.sha256(token.encode()).hexdigest()[:24]
        return self.cache / f"{self.package}-{self.version}" / f"{digest}.json"

    def _class_of(self, token: str) -> type | None:
        if not self._classes:
            self._classes.update(_classes_of(self.package))
        if token not in self._classes:
            return None
        module, name = self._classes[token]
        found: type = getattr(importlib.import_module(module), name)
        return found


def _classes_of(package: str) -> dict[str, tuple[str, str]]:
    """Module and class of each token: the SDK registers them as JSON in its `__init__`."""
    spec = importlib.util.find_spec(f"pulumi_{package}")
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    found = re.search(r'resource_modules="""(.*?)"""', text, re.DOTALL)
    assert found is not None
    return {
        token: (module["fqn"], name)
        for module in json.loads(found[1])
        for token, name in module["classes"].items()
    }


def _describe(token: str, resource: type) -> ResourceShape:
    module = sys.modules[resource.__module__]
    arguments = getattr(module, f"{resource.__name__}InitArgs", None) or getattr(
        module, f"{resource.__name__}Args"
    )
    found: dict[str, Shape] = {}
    inputs = _input_shape(arguments, found)
    types = _types.resource_types(resource)
    outputs = Shape(resource.__name__, {name: _wire(hint, found) for name, hint in types.items()})
    return ResourceShape(token, inputs, outputs, found)


def _input_shape(arguments: type, found: dict[str, Shape]) -> Shape:
    names = _types.input_type_py_to_pulumi_names(arguments)
    hints = _types.input_type_types(arguments)
    required = {
        names[parameter.name]
        for parameter in inspect.signature(arguments.__init__).parameters.values()  # type: ignore[misc]
        if parameter.default is inspect.Parameter.empty and parameter.name in names
    }
    return Shape(
        arguments.__name__,
        {name: _wire(hint, found) for name, hint in hints.items()},
        frozenset(required),
    )


def _wire(hint: Any, found: dict[str, Shape]) -> Wire:
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (list, Sequence):
        return ["list", _wire(arguments[0], found)]
    if origin in (dict, Mapping):
        return ["map", _wire(arguments[1], found)]
    if origin is typing.Union:
        return _union(arguments, found)
    if not isinstance(hint, type):
        return "any"
    if issubclass(hint, enum.Enum):
        return "string"
    if _types.is_input_type(hint) or _types.is_output_type(hint):
        return _object(hint, found)
    return "any"


def _union(arguments: Sequence[Any], found: dict[str, Shape]) -> Wire:
    """Without what only says that a value may come later, or be written as a plain dict."""
    meant = [each for each in arguments if not _is_plumbing(each)]
    if any(isinstance(each, type) and _types.is_input_type(each) for each in meant):
        meant = [each for each in meant if not _is_plain_dict(each)]
    wires: list[Wire] = []
    for each in meant:
        wire = _wire(each, found)
        if wire not in wires:
            wires.append(wire)
    return wires[0] if len(wires) == 1 else ["union", *wires]


def _is_plumbing(hint: Any) -> bool:
    origin = typing.get_origin(hint) or hint
    return (
        hint is type(None)
        or origin is pulumi.Output
        or (isinstance(origin, type) and origin.__name__ == "Awaitable")
    )


def _is_plain_dict(hint: Any) -> bool:
    return typing.is_typeddict(hint) or typing.get_origin(hint) in (dict, Mapping)


def _object(hint: type, found: dict[str, Shape]) -> Wire:
    name = f"{hint.__module__}.{hint.__name__}"
    if name not in found:
        found[name] = Shape(hint.__name__, {})  # a type may contain itself
        if _types.is_input_type(hint):
            found[name] = _input_shape(hint, found)
        else:
            hints = _types.output_type_types(hint)
            fields = {each: _wire(inner, found) for each, inner in hints.items()}
            found[name] = Shape(hint.__name__, fields)
    return ["object", name]


def _to_json(shape: ResourceShape) -> dict[str, Any]:
    return {
        "token": shape.token,
        "inputs": _shape_to_json(shape.inputs),
        "outputs": _shape_to_json(shape.outputs),
        "definitions": {name: _shape_to_json(each) for name, each in shape.definitions.items()},
    }


def _from_json(data: Mapping[str, Any]) -> ResourceShape:
    return ResourceShape(
        data["token"],
        _shape_from_json(data["inputs"]),
        _shape_from_json(data["outputs"]),
        {name: _shape_from_json(each) for name, each in data["definitions"].items()},
    )


def _shape_to_json(shape: Shape) -> dict[str, Any]:
    return {"name": shape.name, "fields": dict(shape.fields), "required": sorted(shape.required)}


def _shape_from_json(data: Mapping[str, Any]) -> Shape:
    return Shape(data["name"], data["fields"], frozenset(data["required"]))
