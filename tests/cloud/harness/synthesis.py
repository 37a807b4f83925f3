"""Outputs of a new thing: what was asked for, and plausible values for what the cloud adds."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.cloud.harness.cloud_rules import TypeRule
from tests.cloud.harness.sdk_shapes import ResourceShape, Shape, Wire

DEEPEST = 6
Invent = Callable[[str, str], Any]
"""Value of an output by its name and its scalar type."""


def outputs_of(
    shape: ResourceShape, rule: TypeRule, inputs: Mapping[str, Any], invent: Invent
) -> dict[str, Any]:
    """Inputs, and every output that is no input; objects among the inputs are completed too."""
    filled = _Filling(shape, rule, invent)
    outputs = dict(inputs)
    for name, wire in shape.outputs.fields.items():
        if name in inputs:
            given_wire = shape.inputs.fields.get(name, "any")
            outputs[name] = filled.completed(wire, given_wire, inputs[name], name)
        elif name not in shape.inputs.fields or name in rule.computed:
            outputs[name] = filled.invented(name, wire)
    if "tagsAll" in outputs:
        outputs["tagsAll"] = dict(inputs.get("tags") or {})
    return outputs


class _Filling:
    def __init__(self, shape: ResourceShape, rule: TypeRule, invent: Invent) -> None:
        self._shape = shape
        self._rule = rule
        self._invent = invent

    def completed(self, wire: Wire, given_wire: Wire, value: Any, path: str) -> Any:
        """The value with those properties that only the cloud knows."""
        if not isinstance(wire, list) or path.count(".") > DEEPEST:
            return value
        if wire[0] == "list" and isinstance(value, list) and isinstance(given_wire, list):
            return [self.completed(wire[1], given_wire[1], each, path) for each in value]
        if wire[0] != "object" or not isinstance(value, Mapping):
            return value
        described = self._shape.definitions[wire[1]]
        given = self._given(given_wire)
        outputs = dict(value)
        for name, inner in described.fields.items():
            below = f"{path}.{name}"
            if name in value:
                inner_given = given.fields.get(name, "any")
                outputs[name] = self.completed(inner, inner_given, value[name], below)
            elif name not in given.fields or below in self._rule.computed:
                outputs[name] = self.invented(name, inner)
        return outputs

    def invented(self, name: str, wire: Wire, depth: int = 0) -> Any:
        if isinstance(wire, str):
            return self._invent(name, wire)
        kind, inner = wire[0], wire[1]
        if depth > DEEPEST:
            return None
        if kind == "union":
            return self.invented(name, inner, depth)
        if kind == "object":
            fields = self._shape.definitions[inner].fields
            return {each: self.invented(each, one, depth + 1) for each, one in fields.items()}
        if kind == "list":
            return [self.invented(name, inner, depth + 1)]
        return {}

    def _given(self, wire: Wire) -> Shape:
        if isinstance(wire, list) and wire[0] == "object":
            return self._shape.definitions[wire[1]]
        return Shape("", {})
