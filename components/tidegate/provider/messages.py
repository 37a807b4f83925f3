"""Messages of the provider protocol, made from and read into plain values."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2
from pulumi.runtime.proto import provider_pb2

from tidegate.provider.handler import CheckFailure, ResourceHandler
from tidegate.provider.values import UNKNOWN, Properties, encode

ServicerContext = grpc.aio.ServicerContext[Any, Any]


def from_json_texts(values: Properties) -> dict[str, Any]:
    """The engine sends lists, objects, numbers and booleans of a provider's inputs as JSON text."""

    def parse(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            parsed = json.loads(value)
        except ValueError:
            return value
        return value if isinstance(parsed, str) else parsed

    return {name: parse(value) for name, value in values.items() if name != "version"}


def check_response(news: Any, failures: Sequence[CheckFailure]) -> Any:
    """The inputs as they came, with what is wrong about each property."""
    return provider_pb2.CheckResponse(
        inputs=news,
        failures=[
            provider_pb2.CheckFailure(property=each.property, reason=each.reason)
            for each in failures
        ],
    )


def diff_response(changed: Sequence[str], replace: Sequence[str]) -> Any:
    """Names that differ, and those of them that cannot change in place."""
    kinds = provider_pb2.PropertyDiff
    detailed = {name: kinds(kind=kinds.UPDATE, inputDiff=False) for name in changed}
    detailed |= {name: kinds(kind=kinds.UPDATE_REPLACE, inputDiff=False) for name in replace}
    response = provider_pb2.DiffResponse
    return response(
        changes=response.DIFF_SOME if detailed else response.DIFF_NONE,
        diffs=sorted(detailed),
        replaces=list(replace),
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def state_of(inputs: Properties, outputs: Mapping[str, Any]) -> Any:
    """What the engine records: inputs and outputs, secrets wrapped again."""
    return encode({**inputs, **outputs}, inputs.secret_names)


def preview_of(
    handler: ResourceHandler[Any, Any], inputs: Properties, olds: Mapping[str, Any]
) -> Any:
    """What is known before the work is done: inputs, and of the outputs only their names."""
    unknown = {
        info.alias or name: UNKNOWN for name, info in handler.outputs_model.model_fields.items()
    }
    stable = {
        name: olds[name]
        for name, value in unknown.items()
        if name in handler.stable_outputs and name in olds
    }
    return encode({**unknown, **stable, **inputs}, inputs.secret_names)


async def abort_with_partial_state(
    context: ServicerContext, resource_id: str, state: Any, reasons: Sequence[str]
) -> None:
    """Fail the call, and have the engine record the resource that exists all the same."""
    message = "; ".join(reasons)
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(id=resource_id, properties=state, reasons=reasons)
    )
    status = status_pb2.Status(
        code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[detail]
    )
    await context.abort(
        grpc.StatusCode.UNKNOWN,
        message,
        trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),),
    )
