import json
from typing import Any

import pytest

from tests.unit.provider.widget import WidgetConfiguration, WidgetHandler
from tidegate import resources
from tidegate.provider.configuration import ProviderConfiguration
from tidegate.provider.resources import make_handlers
from tidegate.provider.schema import package_schema, token

pytestmark = pytest.mark.unit

RESOURCES = (
    "Gateway",
    "TritonServer",
    "LoadTestGate",
    "TrafficSwitch",
    "TrafficHold",
    "NamespaceClaim",
    "GatewayReadiness",
    "SlotRemoval",
    "SlotReadiness",
    "SlotRoom",
    "ColdStandby",
)
PLAIN_TYPES = {"string", "integer", "number", "boolean"}


def published() -> Any:
    return json.loads(package_schema(make_handlers(None), ProviderConfiguration))


def is_type(spec: Any, types: Any) -> bool:
    """Whether it is a type specification of the Pulumi package schema that can be resolved."""
    if "$ref" in spec:
        prefix = "#/types/"
        reference = spec["$ref"]
        return reference == "pulumi.json#/Any" or reference.removeprefix(prefix) in types
    match spec["type"]:
        case "array":
            return is_type(spec["items"], types)
        case "object":
            return is_type(spec["additionalProperties"], types)
        case plain:
            return plain in PLAIN_TYPES


def test_every_resource_is_published_with_a_description() -> None:
    schema = published()

    assert schema["name"] == "tidegate"
    assert schema["version"]
    assert set(schema["resources"]) == {f"tidegate:index:{name}" for name in RESOURCES}
    assert all(each["description"] for each in schema["resources"].values())


def test_every_published_resource_has_a_class_for_programs() -> None:
    for handler in make_handlers(None):
        assert hasattr(resources, handler.type_name), handler.type_name


@pytest.mark.parametrize("handler", make_handlers(None), ids=lambda each: each.type_name)
def test_every_input_and_output_is_published_under_its_wire_name(handler: Any) -> None:
    resource = published()["resources"][token(handler)]
    inputs = {info.alias for info in handler.inputs_model.model_fields.values()}
    outputs = {info.alias for info in handler.outputs_model.model_fields.values()}

    assert set(resource["inputProperties"]) == inputs
    assert set(resource["properties"]) == inputs | outputs
    required = {
        info.alias for info in handler.inputs_model.model_fields.values() if info.is_required()
    }
    assert set(resource["requiredInputs"]) == required
    assert set(resource["required"]) >= required


def test_every_property_has_a_type_that_pulumi_knows() -> None:
    schema = published()
    groups = [
        schema["provider"]["inputProperties"],
        *(each["inputProperties"] for each in schema["resources"].values()),
        *(each["properties"] for each in schema["resources"].values()),
        *(each["properties"] for each in schema["types"].values()),
    ]

    for group in groups:
        for name, spec in group.items():
            assert is_type(spec, schema["types"]), name
            assert set(spec) <= {"$ref", "type", "items", "additionalProperties", "description"}


def test_the_configuration_of_either_platform_is_published() -> None:
    provider, types = published()["provider"], published()["types"]

    assert provider["requiredInputs"] == []
    assert {"stateFolder", "environment", "stackFile"} <= set(provider["inputProperties"])
    reference = provider["inputProperties"]["kubernetes"]["$ref"]
    cluster = types[reference.removeprefix("#/types/")]
    assert {"namespace", "gateway", "runnerImage", "evidence"} <= set(cluster["required"])


def test_nested_shapes_become_named_types() -> None:
    schema = json.loads(package_schema([WidgetHandler()], WidgetConfiguration))
    properties = schema["resources"]["tidegate:index:Widget"]["inputProperties"]

    assert properties["parts"] == {
        "type": "array",
        "items": {"$ref": "#/types/tidegate:index:Part"},
    }
    assert properties["password"] == {"type": "string"}
    assert properties["labels"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert schema["types"]["tidegate:index:Part"]["required"] == ["label", "count"]


def test_the_schema_is_the_same_text_every_time() -> None:
    assert package_schema(make_handlers(None), ProviderConfiguration) == package_schema(
        list(reversed(make_handlers(None))), ProviderConfiguration
    )
