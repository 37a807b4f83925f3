"""The package schema that the engine and code generators ask for, derived from the handlers."""

import json
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from tidegate.provider.handler import ResourceHandler

PACKAGE = "tidegate"


def token(handler: ResourceHandler[Any, Any]) -> str:
    """The resource's type token, for example `tidegate:index:TrafficSwitch`."""
    return f"{PACKAGE}:index:{handler.type_name}"


def package_schema(
    handlers: Iterable[ResourceHandler[Any, Any]], configuration: type[BaseModel]
) -> str:
    """JSON of the Pulumi package schema for these resources and the provider's configuration."""
    types: dict[str, Any] = {}
    provider_inputs = _object(configuration, types)
    schema = {
        "name": PACKAGE,
        "version": version("tidegate"),
        "displayName": "tidegate",
        "description": "Load-test gates and traffic switches for inference services.",
        "license": "Apache-2.0",
        "provider": {
            "inputProperties": provider_inputs["properties"],
            "requiredInputs": provider_inputs["required"],
        },
        "resources": {
            token(handler): _resource(handler, types)
            for handler in sorted(handlers, key=lambda each: each.type_name)
        },
        "types": types,
    }
    return json.dumps(schema, sort_keys=True)


def _resource(handler: ResourceHandler[Any, Any], types: dict[str, Any]) -> dict[str, Any]:
    inputs = _object(handler.inputs_model, types)
    outputs = _object(handler.outputs_model, types)
    return {
        "description": handler.description,
        "inputProperties": inputs["properties"],
        "requiredInputs": inputs["required"],
        "properties": {**inputs["properties"], **outputs["properties"]},
        "required": sorted({*inputs["required"], *outputs["required"]}),
    }


def _object(model: type[BaseModel], types: dict[str, Any]) -> dict[str, Any]:
    definition = model.model_json_schema(by_alias=True, ref_template="{model}")
    for name, nested in definition.pop("$defs", {}).items():
        types[f"{PACKAGE}:index:{name}"] = {
            "type": "object",
            "properties": {
                key: _property(value) for key, value in nested.get("properties", {}).items()
            },
            "required": nested.get("required", []),
        }
    return {
        "properties": {
            key: _property(value) for key, value in definition.get("properties", {}).items()
        },
        "required": definition.get("required", []),
    }


def _property(json_schema: dict[str, Any]) -> dict[str, Any]:
    description = json_schema.get("description")
    return {**_type(json_schema), **({"description": description} if description else {})}


def _type(json_schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in json_schema:
        return {"$ref": f"#/types/{PACKAGE}:index:{json_schema['$ref']}"}
    for union in ("anyOf", "allOf", "oneOf"):
        if union in json_schema:
            options = [each for each in json_schema[union] if each.get("type") != "null"]
            return _type(options[0]) if len(options) == 1 else {"$ref": "pulumi.json#/Any"}
    kind = json_schema.get("type")
    if kind == "array":
        return {"type": "array", "items": _type(json_schema.get("items", {}))}
    if kind == "object":
        values = json_schema.get("additionalProperties")
        items = _type(values) if isinstance(values, dict) else {"$ref": "pulumi.json#/Any"}
        return {"type": "object", "additionalProperties": items}
    if kind in {"string", "integer", "number", "boolean"}:
        return {"type": kind}
    return {"$ref": "pulumi.json#/Any"}
