"""A resource made up for tests of the server: it does what the test tells it to."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field, model_validator

from tidegate.provider.handler import (
    CheckFailure,
    Created,
    Diff,
    Operation,
    Outputs,
    ResourceHandler,
    ResourceModel,
)


class WidgetConfiguration(Outputs):
    folder: str = Field(description="Where widgets lie.")
    limit: int = 3


class Part(ResourceModel):
    label: str
    count: int = Field(ge=1)


class WidgetInputs(ResourceModel):
    name: str = Field(description="What the widget is called.")
    size: int = Field(default=1, ge=1, le=10)
    password: str | None = Field(default=None, min_length=8)
    parts: list[Part] = Field(default_factory=list)
    labels: dict[str, str] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> "WidgetInputs":
        if len(self.parts) > self.size:
            raise ValueError("more parts than fit")
        return self


class WidgetOutputs(Outputs):
    address: str = Field(description="Where the widget answers.")
    serial: int


class WidgetHandler(ResourceHandler[WidgetInputs, WidgetOutputs]):
    """Widgets are kept in `widgets`. `failure` is raised by whatever works next."""

    type_name = "Widget"
    description = "A thing."
    stable_outputs = frozenset({"address"})
    inputs_model = WidgetInputs
    outputs_model = WidgetOutputs

    def __init__(self, configuration: WidgetConfiguration | None = None) -> None:
        self.configuration = configuration
        self.widgets: dict[str, WidgetInputs] = {}
        self.failure: Exception | None = None
        self.check_failures: Sequence[CheckFailure] = ()
        self.foreseen: Sequence[str] = ()
        self.replace: tuple[str, ...] = ()
        self.diffs: list[tuple[WidgetOutputs, WidgetInputs | None, WidgetInputs]] = []
        self.updates: list[tuple[WidgetInputs | None, WidgetInputs]] = []
        self.works_seconds = 0.0

    async def check(self, inputs: WidgetInputs) -> list[CheckFailure]:
        self._fail()
        return list(self.check_failures)

    async def foresee(self, inputs: WidgetInputs) -> Sequence[str]:
        self._fail()
        return self.foreseen

    async def diff(
        self,
        resource_id: str,
        outputs: WidgetOutputs,
        old: WidgetInputs | None,
        new: WidgetInputs,
    ) -> Diff:
        self._fail()
        self.diffs.append((outputs, old, new))
        changed = (await super().diff(resource_id, outputs, old, new)).changed
        return Diff(changed=changed, replace=self.replace)

    async def create(self, operation: Operation, inputs: WidgetInputs) -> Created[WidgetOutputs]:
        operation.status("working")
        operation.info("made of steel")
        operation.warn("it is heavy")
        await operation.sleep(self.works_seconds)
        self._fail()
        self.widgets[inputs.name] = inputs
        return Created(inputs.name, self._outputs(inputs))

    async def read(self, resource_id: str, inputs: WidgetInputs | None) -> WidgetOutputs | None:
        self._fail()
        found = self.widgets.get(resource_id)
        return self._outputs(found) if found is not None else None

    async def update(
        self,
        operation: Operation,
        resource_id: str,
        outputs: WidgetOutputs,
        old: WidgetInputs | None,
        new: WidgetInputs,
    ) -> WidgetOutputs:
        self.updates.append((old, new))
        return await super().update(operation, resource_id, outputs, old, new)

    async def delete(self, operation: Operation, resource_id: str, outputs: WidgetOutputs) -> None:
        self._fail()
        self.widgets.pop(resource_id, None)

    def _outputs(self, inputs: WidgetInputs) -> WidgetOutputs:
        return WidgetOutputs(address=f"{inputs.name}:{inputs.size}", serial=7)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure
