"""What a resource of this provider is: one handler, testable without an engine."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from tidegate.provider.errors import CancelledOperation


class ResourceModel(BaseModel):
    """Base of input and output shapes: camelCase on the wire, unknown keys are errors."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )

    def to_properties(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Outputs(ResourceModel):
    """Base of output shapes.

    A newer provider reads an older one's state: keys it does not know are passed over, and an
    output that was added later has a default.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


InputsT = TypeVar("InputsT", bound=ResourceModel)
OutputsT = TypeVar("OutputsT", bound=Outputs)


@dataclass(frozen=True)
class CheckFailure:
    """An error on one input property, shown at preview."""

    property: str
    reason: str


@dataclass(frozen=True)
class Diff:
    """Properties that differ from what is declared; empty means nothing to do.

    `replace` names those that cannot change in place. `notes` say what differs although nobody
    declared it; the engine shows them beside the resource.
    """

    changed: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Created(Generic[OutputsT]):
    """A created or adopted resource."""

    id: str
    outputs: OutputsT


@dataclass
class Operation:
    """One running operation: where progress goes and where cancellation is heard.

    `status` replaces the previous status line of the resource in the engine's display; `info`
    and `warn` stay in the output.
    """

    status: Callable[[str], None] = lambda _message: None
    info: Callable[[str], None] = lambda _message: None
    warn: Callable[[str], None] = lambda _message: None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def raise_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise CancelledOperation("cancelled; the next `pulumi up` continues from here")

    async def sleep(self, seconds: float) -> None:
        """Sleep, but wake at once when the operation is cancelled.

        Raises `CancelledOperation` then.
        """
        try:
            await asyncio.wait_for(self.cancelled.wait(), seconds)
        except TimeoutError:
            return
        self.raise_if_cancelled()


class ResourceHandler(ABC, Generic[InputsT, OutputsT]):
    """One resource type. Methods raise `ProviderError` with a sentence for the user."""

    type_name: ClassVar[str]
    """Name in the `tidegate:index` module, as users see it."""
    description: ClassVar[str]
    stable_outputs: ClassVar[frozenset[str]] = frozenset()
    """Outputs (wire names) that an update does not change; a preview shows their old value."""
    inputs_model: type[InputsT]
    outputs_model: type[OutputsT]

    async def check(self, inputs: InputsT) -> list[CheckFailure]:
        """Errors beyond the shape of the inputs. Called at preview, with known inputs only."""
        return []

    async def foresee(self, inputs: InputsT) -> Sequence[str]:
        """What a preview says of a resource that is yet to be created, beside its inputs."""
        return ()

    async def diff(
        self, resource_id: str, outputs: OutputsT, old: InputsT | None, new: InputsT
    ) -> Diff:
        """Compare the declared inputs with the recorded ones and with what is really there."""
        if old is None:
            return Diff()
        before, after = old.to_properties(), new.to_properties()
        names = sorted(before.keys() | after.keys())
        return Diff(changed=tuple(name for name in names if before.get(name) != after.get(name)))

    @abstractmethod
    async def create(self, operation: Operation, inputs: InputsT) -> Created[OutputsT]:
        """Create the resource, or adopt it when it is already there under the same id."""

    @abstractmethod
    async def read(self, resource_id: str, inputs: InputsT | None) -> OutputsT | None:
        """What is really there; None when it is gone."""

    async def update(
        self,
        operation: Operation,
        resource_id: str,
        outputs: OutputsT,
        old: InputsT | None,
        new: InputsT,
    ) -> OutputsT:
        """Bring the resource to the declared inputs. By default the same work as creating it."""
        return (await self.create(operation, new)).outputs

    @abstractmethod
    async def delete(self, operation: Operation, resource_id: str, outputs: OutputsT) -> None:
        """Remove the resource. Succeeds when it is already gone."""
