"""The engine's gRPC protocol on one side, our handlers on the other.

Written on the SDK's raw servicer: the experimental Python base class cannot marshal unknown
values in a preview, gives `diff` no old inputs and puts a traceback into every error.
"""

import asyncio
import contextlib
import json
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeVar, cast

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer
from pydantic import BaseModel, ValidationError

from tidegate.provider.errors import PartialFailure, ProviderError
from tidegate.provider.handler import CheckFailure, Operation, ResourceHandler
from tidegate.provider.schema import PACKAGE, package_schema, token
from tidegate.provider.validation import explain
from tidegate.provider.values import (
    UNKNOWN,
    Properties,
    contains_unknown,
    decode,
    encode,
    redact,
)
from tidegate.spec.errors import SpecError

Handler = ResourceHandler[Any, Any]
ConfigurationT = TypeVar("ConfigurationT", bound=BaseModel)
ResponseT = TypeVar("ResponseT")
MakeHandlers = Callable[[Any], Sequence[Handler]]
ServicerContext = grpc.aio.ServicerContext[Any, Any]
NO_PROPERTIES = Properties({})


class Provider(ResourceProviderServicer):
    """Serves one set of handlers.

    `make_handlers` builds them from the provider's validated configuration; called with None it
    returns them unconfigured, which is enough for the schema and for `check`.
    """

    def __init__(
        self,
        make_handlers: MakeHandlers,
        configuration: type[ConfigurationT],
        engine: engine_pb2_grpc.EngineStub,
    ) -> None:
        self._make_handlers = make_handlers
        self._configuration = configuration
        self._engine = engine
        self._handlers = _by_token(make_handlers(None))
        self._configured = False
        self._cancelled = asyncio.Event()
        self._last_line: asyncio.Future[None] | None = None

    # -- package and configuration ------------------------------------------------------------

    async def Handshake(self, request: Any, context: ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, accept_outputs=False
        )

    async def GetPluginInfo(self, request: Any, context: ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=version("tidegate"))

    async def GetSchema(self, request: Any, context: ServicerContext) -> Any:
        schema = package_schema(self._handlers.values(), self._configuration)
        return provider_pb2.GetSchemaResponse(schema=schema)

    async def CheckConfig(self, request: Any, context: ServicerContext) -> Any:
        news = decode(request.news)
        failures, _ = explain(self._configuration, _from_json_texts(news), news.secret_names)
        return _check_response(request.news, failures)

    async def DiffConfig(self, request: Any, context: ServicerContext) -> Any:
        same = request.olds == request.news
        changes = (
            provider_pb2.DiffResponse.DIFF_NONE if same else provider_pb2.DiffResponse.DIFF_SOME
        )
        return provider_pb2.DiffResponse(changes=changes)

    async def Configure(self, request: Any, context: ServicerContext) -> Any:
        values = _from_json_texts(decode(request.args))
        if not contains_unknown(values):
            configuration = self._configuration.model_validate(
                {name: value for name, value in values.items() if name != "version"}
            )
            self._handlers = _by_token(self._make_handlers(configuration))
            self._configured = True
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    async def Cancel(self, request: Any, context: ServicerContext) -> Any:
        self._cancelled.set()
        return empty_pb2.Empty()

    # -- resources ----------------------------------------------------------------------------

    async def Check(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        news = decode(request.news)
        failures, inputs = explain(handler.inputs_model, news, news.secret_names)
        if inputs is not None and self._configured:
            found = await self._guarded(context, lambda: handler.check(inputs), news)
            failures = [CheckFailure(each.property, redact(each.reason, news)) for each in found]
        return _check_response(request.news, failures)

    async def Diff(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        news, old_inputs = decode(request.news), decode(request.old_inputs)
        if contains_unknown(news) or not self._configured:
            changed = [
                name
                for name in sorted(news.keys() | old_inputs.keys())
                if contains_unknown(news.get(name)) or news.get(name) != old_inputs.get(name)
            ]
            return _diff_response(changed, ())
        olds = decode(request.olds)
        diff = await self._guarded(
            context,
            lambda: handler.diff(
                request.id,
                handler.outputs_model.model_validate(olds),
                _model_or_none(handler.inputs_model, old_inputs),
                handler.inputs_model.model_validate(news),
            ),
            news,
            olds,
        )
        return _diff_response(diff.changed, diff.replace)

    async def Create(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        properties = decode(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_preview(handler, properties, {}))
        created = await self._guarded(
            context,
            lambda: handler.create(
                self._operation(request.urn), handler.inputs_model.model_validate(properties)
            ),
            properties,
        )
        return provider_pb2.CreateResponse(
            id=created.id, properties=_state(properties, created.outputs.to_properties())
        )

    async def Read(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        properties = decode(request.inputs)
        inputs = _model_or_none(handler.inputs_model, properties)
        outputs = await self._guarded(context, lambda: handler.read(request.id, inputs), properties)
        if outputs is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=_state(properties, outputs.to_properties()),
            inputs=request.inputs,
        )

    async def Update(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        news, olds = decode(request.news), decode(request.olds)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=_preview(handler, news, olds))
        outputs = await self._guarded(
            context,
            lambda: handler.update(
                self._operation(request.urn),
                request.id,
                handler.outputs_model.model_validate(olds),
                _model_or_none(handler.inputs_model, decode(request.old_inputs)),
                handler.inputs_model.model_validate(news),
            ),
            news,
            olds,
        )
        return provider_pb2.UpdateResponse(properties=_state(news, outputs.to_properties()))

    async def Delete(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        olds = decode(request.properties)
        await self._guarded(
            context,
            lambda: handler.delete(
                self._operation(request.urn),
                request.id,
                handler.outputs_model.model_validate(olds),
            ),
            olds,
        )
        return empty_pb2.Empty()

    async def Invoke(self, request: Any, context: ServicerContext) -> Any:
        await context.abort(
            grpc.StatusCode.NOT_FOUND, f"{PACKAGE} has no function named {request.tok!r}"
        )

    # -- how handlers are run -----------------------------------------------------------------

    def _handler(self, type_token: str) -> Handler:
        return self._handlers[type_token]

    def _operation(self, urn: str) -> Operation:
        def log(severity: Any, ephemeral: bool) -> Callable[[str], None]:
            def send(message: str) -> None:
                request = engine_pb2.LogRequest(
                    severity=severity, message=message, urn=urn, ephemeral=ephemeral
                )
                self._last_line = asyncio.ensure_future(self._log(request, self._last_line))

            return send

        return Operation(
            status=log(engine_pb2.INFO, ephemeral=True),
            info=log(engine_pb2.INFO, ephemeral=False),
            warn=log(engine_pb2.WARNING, ephemeral=False),
            cancelled=self._cancelled,
        )

    async def _log(
        self, request: engine_pb2.LogRequest, previous: asyncio.Future[None] | None
    ) -> None:
        """Send one line after the one before it; calls of their own would overtake each other."""
        if previous is not None:
            await previous
        # A lost line must not fail the operation that reported it.
        with contextlib.suppress(grpc.aio.AioRpcError):
            await cast("Awaitable[Any]", self._engine.Log(request))

    async def _guarded(
        self,
        context: ServicerContext,
        work: Callable[[], Awaitable[ResponseT]],
        properties: Properties,
        olds: Properties = NO_PROPERTIES,
    ) -> ResponseT:
        """Run a handler; turn its errors into statuses that the engine shows as sentences.

        No secret of `properties` or `olds` stays in them.
        """

        def plain(text: str) -> str:
            return redact(text, properties, olds)

        try:
            return await self._said_first(work)
        except PartialFailure as failure:
            state = _state(properties, failure.outputs)
            reasons = [plain(each) for each in failure.reasons]
            await _abort_with_partial_state(context, failure.resource_id, state, reasons)
        except (ProviderError, SpecError) as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, plain(str(error)))
        except ValidationError as error:
            # Never with the values: one of them may be a secret.
            text = json.dumps(error.errors(include_input=False, include_url=False), default=str)
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, plain(f"state not understood: {text}")
            )
        except Exception as error:  # the last line of defence of a server: report and go on
            # Not to stderr: the engine shows whatever a plugin writes there.
            where = plain(traceback.format_exc())
            line = engine_pb2.LogRequest(severity=engine_pb2.DEBUG, message=where)
            await self._log(line, self._last_line)
            await context.abort(
                grpc.StatusCode.INTERNAL,
                plain(f"unexpected {type(error).__name__}: {error}")
                + " (a defect in the tidegate provider; `pulumi up --debug` shows where)",
            )
        raise AssertionError("abort does not return")

    async def _said_first(self, work: Callable[[], Awaitable[ResponseT]]) -> ResponseT:
        """Run the work; its result or error comes after everything it has said."""
        try:
            return await work()
        finally:
            if self._last_line is not None:
                await self._last_line


def _by_token(handlers: Sequence[Handler]) -> dict[str, Handler]:
    return {token(handler): handler for handler in handlers}


def _model_or_none(model: type[BaseModel], values: Mapping[str, Any]) -> Any:
    """Old inputs, or None when an earlier version of the resource wrote them."""
    try:
        return model.model_validate(values)
    except ValidationError:
        return None


def _from_json_texts(values: Properties) -> dict[str, Any]:
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


def _check_response(news: Any, failures: Sequence[CheckFailure]) -> Any:
    return provider_pb2.CheckResponse(
        inputs=news,
        failures=[
            provider_pb2.CheckFailure(property=each.property, reason=each.reason)
            for each in failures
        ],
    )


def _diff_response(changed: Sequence[str], replace: Sequence[str]) -> Any:
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


def _state(inputs: Properties, outputs: Mapping[str, Any]) -> Any:
    return encode({**inputs, **outputs}, inputs.secret_names)


def _preview(handler: Handler, inputs: Properties, olds: Mapping[str, Any]) -> Any:
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


async def _abort_with_partial_state(
    context: ServicerContext, resource_id: str, state: Any, reasons: Sequence[str]
) -> None:
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
