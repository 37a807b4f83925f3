"""The engine's gRPC protocol on one side, our handlers on the other.

Written on the SDK's raw servicer: the experimental Python base class cannot marshal unknown
values in a preview, gives `diff` no old inputs and puts a traceback into every error.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc, plugin_pb2, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer
from pydantic import BaseModel, ValidationError

from tidegate.provider.engine_log import EngineLog
from tidegate.provider.guard import Guard
from tidegate.provider.handler import CheckFailure, ResourceHandler
from tidegate.provider.messages import (
    ServicerContext,
    check_response,
    diff_response,
    from_json_texts,
    preview_of,
    state_of,
)
from tidegate.provider.place import Moved, refused_move, stays
from tidegate.provider.schema import PACKAGE, package_schema, token
from tidegate.provider.validation import explain
from tidegate.provider.values import Properties, contains_unknown, decode, redact

Handler = ResourceHandler[Any, Any]
ConfigurationT = TypeVar("ConfigurationT", bound=BaseModel)
MakeHandlers = Callable[[Any], Sequence[Handler]]
OF_ANOTHER_VERSION = (
    "another version of tidegate has recorded it, with inputs that this one does not know: "
    "it stays as recorded. The next `pulumi up` of this version records it anew"
)


class Provider(ResourceProviderServicer):
    """Serves one set of handlers.

    `make_handlers` builds them from the provider's validated configuration; called with None it
    returns them unconfigured, which is enough for the schema and for `check`. `moved` says why a
    new configuration would leave behind what the old one has made, which is refused.
    """

    def __init__(
        self,
        make_handlers: MakeHandlers,
        configuration: type[ConfigurationT],
        engine: engine_pb2_grpc.EngineStub,
        moved: Moved = stays,
    ) -> None:
        self._make_handlers = make_handlers
        self._configuration = configuration
        self._moved = moved
        self._log = EngineLog(engine)
        self._guard = Guard(self._log)
        self._handlers: dict[str, Handler] = {}
        self._configured = False
        self._cancelled = asyncio.Event()

    # -- package and configuration ------------------------------------------------------------

    async def Handshake(self, request: Any, context: ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, accept_outputs=False
        )

    async def GetPluginInfo(self, request: Any, context: ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=version("tidegate"))

    async def GetSchema(self, request: Any, context: ServicerContext) -> Any:
        schema = package_schema(self._known_handlers().values(), self._configuration)
        return provider_pb2.GetSchemaResponse(schema=schema)

    async def CheckConfig(self, request: Any, context: ServicerContext) -> Any:
        news = decode(request.news)
        failures, _ = explain(self._configuration, from_json_texts(news), news.secret_names)
        if not failures:
            olds = decode(request.olds)
            failures = await self._guard.run(
                context,
                lambda: refused_move(self._moved, from_json_texts(olds), from_json_texts(news)),
                news,
                olds,
            )
        return check_response(request.news, failures)

    async def DiffConfig(self, request: Any, context: ServicerContext) -> Any:
        same = request.olds == request.news
        changes = (
            provider_pb2.DiffResponse.DIFF_NONE if same else provider_pb2.DiffResponse.DIFF_SOME
        )
        return provider_pb2.DiffResponse(changes=changes)

    async def Configure(self, request: Any, context: ServicerContext) -> Any:
        values = from_json_texts(decode(request.args))
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
            found = await self._guard.run(context, lambda: handler.check(inputs), news)
            failures = [CheckFailure(each.property, redact(each.reason, news)) for each in found]
        return check_response(request.news, failures)

    async def Diff(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        news, old_inputs = decode(request.news), decode(request.old_inputs)
        if contains_unknown(news) or not self._configured:
            changed = [
                name
                for name in sorted(news.keys() | old_inputs.keys())
                if contains_unknown(news.get(name)) or news.get(name) != old_inputs.get(name)
            ]
            return diff_response(changed, ())
        olds = decode(request.olds)
        diff = await self._guard.run(
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
        await self._guard.say(diff.notes, request.urn, news, olds)
        return diff_response(diff.changed, diff.replace)

    async def Create(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        properties = decode(request.properties)
        if request.preview:
            await self._say_what_comes(handler, properties, request.urn, context)
            return provider_pb2.CreateResponse(properties=preview_of(handler, properties, {}))
        created = await self._guard.run(
            context,
            lambda: handler.create(
                self._log.operation(request.urn, self._cancelled),
                handler.inputs_model.model_validate(properties),
            ),
            properties,
        )
        return provider_pb2.CreateResponse(
            id=created.id, properties=state_of(properties, created.outputs.to_properties())
        )

    async def Read(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        properties = decode(request.inputs)
        inputs = _model_or_none(handler.inputs_model, properties)
        if inputs is None and properties:
            # An import alone has no inputs. "Gone" would drop what is there from the state.
            await self._guard.say([OF_ANOTHER_VERSION], request.urn)
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        outputs = await self._guard.run(
            context, lambda: handler.read(request.id, inputs), properties
        )
        if outputs is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=state_of(properties, outputs.to_properties()),
            inputs=request.inputs,
        )

    async def Update(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        news, olds = decode(request.news), decode(request.olds)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=preview_of(handler, news, olds))
        outputs = await self._guard.run(
            context,
            lambda: handler.update(
                self._log.operation(request.urn, self._cancelled),
                request.id,
                handler.outputs_model.model_validate(olds),
                _model_or_none(handler.inputs_model, decode(request.old_inputs)),
                handler.inputs_model.model_validate(news),
            ),
            news,
            olds,
        )
        return provider_pb2.UpdateResponse(properties=state_of(news, outputs.to_properties()))

    async def Delete(self, request: Any, context: ServicerContext) -> Any:
        handler = self._handler(request.type)
        olds = decode(request.properties)
        await self._guard.run(
            context,
            lambda: handler.delete(
                self._log.operation(request.urn, self._cancelled),
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

    async def _say_what_comes(
        self, handler: Handler, properties: Properties, urn: str, context: ServicerContext
    ) -> None:
        """What the handler foresees of a create, once everything it could look at is known."""
        if contains_unknown(properties) or not self._configured:
            return
        notes = await self._guard.run(
            context,
            lambda: handler.foresee(handler.inputs_model.model_validate(properties)),
            properties,
        )
        await self._guard.say(notes, urn, properties)

    def _handler(self, type_token: str) -> Handler:
        return self._known_handlers()[type_token]

    def _known_handlers(self) -> dict[str, Handler]:
        """Those of the configuration; until there is one all, made when first asked for.

        The engine waits for a plugin to start, and what every handler imports takes its time.
        """
        if not self._handlers:
            self._handlers = _by_token(self._make_handlers(None))
        return self._handlers


def _by_token(handlers: Sequence[Handler]) -> dict[str, Handler]:
    return {token(handler): handler for handler in handlers}


def _model_or_none(model: type[BaseModel], values: Mapping[str, Any]) -> Any:
    """Old inputs, or None when an earlier version of the resource wrote them."""
    try:
        return model.model_validate(values)
    except ValidationError:
        return None
