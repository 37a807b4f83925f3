"""`TritonServer`: a slot of the embedded platform."""

from pathlib import Path

from pydantic import Field

from tidegate.local.slot_record import SlotRecord
from tidegate.local.slots import SlotError, SlotNotReadyError, SlotRequest
from tidegate.local.stack import LocalStack
from tidegate.local.supervision import SupervisionError
from tidegate.local.triton import TritonNotInstalledError
from tidegate.provider.errors import PartialFailure, ProviderError
from tidegate.provider.handler import (
    Created,
    Diff,
    Operation,
    Outputs,
    ResourceHandler,
    ResourceModel,
)
from tidegate.provider.shared.release_files import declared_release
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Release


class TritonServerInputs(ResourceModel):
    revision: str = Field(description="Revision that the server serves; also the resource's id.")
    service: str
    release: str
    serving_root: str = Field(description="Folder with releases/, models/ and golden/.")
    release_digest: str = Field(description="Digest of the release's manifest.")
    ready_timeout_seconds: float = Field(gt=0)
    health_interval_seconds: float = Field(gt=0)


class TritonServerOutputs(Outputs):
    http_target: str = Field(description="host:port of the server itself, HTTP.")
    grpc_target: str = Field(description="host:port of the server itself, gRPC.")
    metrics_target: str = Field(description="host:port of the server's metrics.")


class TritonServerHandler(ResourceHandler[TritonServerInputs, TritonServerOutputs]):
    type_name = "TritonServer"
    description = "A Triton on this machine that serves one revision, known to the gateway."
    inputs_model = TritonServerInputs
    outputs_model = TritonServerOutputs

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack

    async def diff(
        self,
        resource_id: str,
        outputs: TritonServerOutputs,
        old: TritonServerInputs | None,
        new: TritonServerInputs,
    ) -> Diff:
        """Everything that matters is in the revision's name; what can differ is the live server."""
        if new.revision != resource_id:
            return Diff(replace=("revision",))
        record = self._stack.slots.record(resource_id)
        if record is None or not await self._stack.slots.is_serving(resource_id):
            return Diff(changed=("httpTarget",))
        return Diff() if _outputs(record) == outputs else Diff(changed=("httpTarget",))

    async def create(
        self, operation: Operation, inputs: TritonServerInputs
    ) -> Created[TritonServerOutputs]:
        try:
            record = await self._stack.slots.deploy(
                SlotRequest(
                    revision=inputs.revision,
                    release=_load(inputs),
                    serving_root=Path(inputs.serving_root),
                    ready_timeout_seconds=inputs.ready_timeout_seconds,
                    health_interval_seconds=inputs.health_interval_seconds,
                ),
                operation.sleep,
                operation.status,
            )
        except SlotNotReadyError as error:
            left = self._stack.slots.record(inputs.revision)
            state = _outputs(left).to_properties() if left is not None else {}
            raise PartialFailure(inputs.revision, state, [str(error)]) from error
        except (SlotError, SpecError, SupervisionError, TritonNotInstalledError) as error:
            raise ProviderError(str(error)) from error
        return Created(inputs.revision, _outputs(record))

    async def read(
        self, resource_id: str, inputs: TritonServerInputs | None
    ) -> TritonServerOutputs | None:
        record = self._stack.slots.record(resource_id)
        return _outputs(record) if record is not None else None

    async def delete(
        self, operation: Operation, resource_id: str, outputs: TritonServerOutputs
    ) -> None:
        try:
            await self._stack.slots.remove(resource_id, operation.sleep)
        except (SlotError, SupervisionError) as error:
            raise ProviderError(str(error)) from error


def _load(inputs: TritonServerInputs) -> Release:
    return declared_release(
        Path(inputs.serving_root), inputs.service, inputs.release, inputs.release_digest
    )


def _outputs(record: SlotRecord) -> TritonServerOutputs:
    return TritonServerOutputs(
        http_target=record.http_target,
        grpc_target=record.grpc_target,
        metrics_target=record.metrics_target,
    )
