"""What every resource of the provider has in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pydantic.alias_generators import to_camel, to_snake

from tidegate.spec.signature import SpecModel


class TidegateResource(pulumi.CustomResource):
    """A resource whose properties are snake_case here and camelCase on the wire."""

    def __init__(
        self,
        type_name: str,
        name: str,
        inputs: Mapping[str, Any],
        outputs: Sequence[str],
        opts: pulumi.ResourceOptions | None,
    ) -> None:
        properties = {**dict.fromkeys(outputs), **inputs}
        self._wire_names = {each: to_camel(each) for each in properties}
        super().__init__(f"tidegate:index:{type_name}", name, properties, opts)

    def translate_input_property(self, prop: str) -> str:
        # Asked for the keys inside of values as well, which are the user's own.
        return self._wire_names.get(prop, prop)

    def translate_output_property(self, prop: str) -> str:
        return to_snake(prop)


def plain(model: SpecModel) -> dict[str, Any]:
    """The model as the engine stores it."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
