"""The engine's protocol on one side, the folder that is the cloud on the other."""
# ruff: noqa: N802  # the methods have the protocol's names

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from tests.cloud.harness import fault_effects
from tests.cloud.harness.cloud_rules import TypeRule, are_alike, identifier, random_hex, replaced_by
from tests.cloud.harness.cloud_store import CloudObject, CloudStore, Operation
from tests.cloud.harness.input_check import findings, from_texts
from tests.cloud.harness.sdk_shapes import ResourceShape, Sdk, Shape
from tests.cloud.harness.surroundings import Surroundings
from tests.cloud.harness.synthesis import Invent, outputs_of
from tidegate.provider.handler import CheckFailure
from tidegate.provider.messages import (
    ServicerContext,
    check_response,
    diff_response,
)
from tidegate.provider.values import UNKNOWN, Properties, contains_unknown, decode, encode


class RecordingProvider(ResourceProviderServicer):
    """One package. Inputs are checked against the SDK, everything else is granted."""

    def __init__(self, sdk: Sdk, store: CloudStore, surroundings: Surroundings) -> None:
        self._sdk = sdk
        self._store = store
        self._around = surroundings
        self._values = dict(surroundings.values)

    # -- package and configuration ------------------------------------------------------------

    async def Handshake(self, request: Any, context: ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, accept_outputs=False
        )

    async def GetPluginInfo(self, request: Any, context: ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=self._sdk.version)

    async def CheckConfig(self, request: Any, context: ServicerContext) -> Any:
        shape = self._sdk.provider()
        inputs = from_texts(shape, _without_version(decode(request.news)))
        return check_response(request.news, _failures(shape, inputs))

    async def DiffConfig(self, request: Any, context: ServicerContext) -> Any:
        olds, news = decode(request.old_inputs), decode(request.news)
        return diff_response(_changed(_without_version(olds), _without_version(news)), ())

    async def Configure(self, request: Any, context: ServicerContext) -> Any:
        for name, value in decode(request.args).items():
            if name in self._values and isinstance(value, str):
                self._values[name] = value
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    async def Cancel(self, request: Any, context: ServicerContext) -> Any:
        return empty_pb2.Empty()

    # -- resources ----------------------------------------------------------------------------

    async def Check(self, request: Any, context: ServicerContext) -> Any:
        shape = self._sdk.resource(request.type)
        news = decode(request.news)
        if shape is None:
            failures = [CheckFailure("", f"no such type: {request.type}")]
            return check_response(request.news, [] if self._around.custom_types else failures)
        named = Properties({**news, **self._autoname(request, shape, news)}, news.secret_names)
        return check_response(encode(named, news.secret_names), _failures(shape, news))

    def _autoname(
        self, request: Any, shape: ResourceShape, news: Mapping[str, Any]
    ) -> dict[str, str]:
        """The name that a provider gives: the resource's own and a few random digits."""
        name = self._around.rule(request.type).autoname
        if name is None or name not in shape.inputs.fields or name in news:
            return {}
        prefix = news.get(f"{name}Prefix")
        before = decode(request.olds).get(name)
        resource = _resource(request.urn)
        start = prefix if isinstance(prefix, str) else f"{resource}-"
        if isinstance(before, str) and before.startswith(start):
            return {name: before}
        creation = self._store.creations(request.type, resource)
        return {name: f"{start}{random_hex(request.urn, str(creation))[:7]}"}

    async def Diff(self, request: Any, context: ServicerContext) -> Any:
        olds, news = decode(request.old_inputs), decode(request.news)
        changed = _changed(olds, news)
        return diff_response(changed, replaced_by(self._around.rule(request.type), olds, news))

    async def Create(self, request: Any, context: ServicerContext) -> Any:
        inputs = decode(request.properties)
        shape, rule = self._shape(request.type), self._around.rule(request.type)
        if request.preview:
            outputs = outputs_of(shape, rule, inputs, lambda _name, _kind: UNKNOWN)
            return provider_pb2.CreateResponse(properties=encode(outputs, inputs.secret_names))
        resource = _resource(request.urn)
        creation = self._store.creations(request.type, resource)
        object_id = identifier(rule, inputs, resource, creation, self._values)
        with self._logged("create", request.type, resource, object_id):
            fault = await fault_effects.before(
                self._store, context, "create", request.type, resource
            )
            if (twin := self._twin(rule, request.type, object_id, inputs)) is not None:
                await context.abort(
                    grpc.StatusCode.ALREADY_EXISTS, f"{twin.id} of {request.type} already exists"
                )
            made = self._made(shape, rule, object_id, request.type, resource, inputs)
            state = encode(made.outputs, inputs.secret_names)
            await fault_effects.after(self._store, context, fault, made.id, state)
        return provider_pb2.CreateResponse(id=made.id, properties=state)

    async def Read(self, request: Any, context: ServicerContext) -> Any:
        thing = self._store.get(request.type, request.id)
        if thing is None:
            return provider_pb2.ReadResponse()
        names = decode(request.properties).secret_names | decode(request.inputs).secret_names
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=encode(thing.outputs, names),
            inputs=encode(thing.inputs, names),
        )

    async def Update(self, request: Any, context: ServicerContext) -> Any:
        olds, news = decode(request.olds), decode(request.news)
        shape, rule = self._shape(request.type), self._around.rule(request.type)
        if request.preview:
            kept = {**_cloud_made(shape, olds), **dict.fromkeys(rule.volatile, UNKNOWN)}
            invent = self._inventor(request.type, request.id)
            outputs = outputs_of(shape, rule, news, invent)
            return provider_pb2.UpdateResponse(
                properties=encode({**outputs, **kept}, news.secret_names)
            )
        resource = _resource(request.urn)
        with self._logged("update", request.type, resource, request.id):
            fault = await fault_effects.before(
                self._store, context, "update", request.type, resource
            )
            made = self._made(shape, rule, request.id, request.type, resource, news, olds)
            state = encode(made.outputs, news.secret_names)
            await fault_effects.after(self._store, context, fault, made.id, state)
        return provider_pb2.UpdateResponse(properties=state)

    async def Delete(self, request: Any, context: ServicerContext) -> Any:
        resource = _resource(request.urn)
        with self._logged("delete", request.type, resource, request.id):
            fault = await fault_effects.before(
                self._store, context, "delete", request.type, resource
            )
            self._store.remove(request.type, request.id)
            await fault_effects.after(self._store, context, fault, request.id, request.properties)
        return empty_pb2.Empty()

    async def Invoke(self, request: Any, context: ServicerContext) -> Any:
        answer: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None
        answer = self._around.invokes.get(request.tok)
        if answer is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"nobody answers {request.tok}")
        assert answer is not None
        arguments = {**self._values, **decode(request.args)}
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(encode(answer(arguments)))  # a keyword of Python
        return response

    # -- the cloud ----------------------------------------------------------------------------

    def _shape(self, token: str) -> ResourceShape:
        found = self._sdk.resource(token)
        return found or ResourceShape(token, Shape(token, {}), Shape(token, {}), {})

    def _inventor(self, token: str, object_id: str) -> Invent:
        given = self._store.given().get(token, {})
        return lambda name, kind: (
            given.get(name) or self._around.invent(token, object_id, name, kind)
        )

    def _twin(
        self, rule: TypeRule, token: str, object_id: str, inputs: Mapping[str, Any]
    ) -> CloudObject | None:
        """What stands in the way of a new thing."""
        there = self._store.get(token, object_id)
        if there is not None:
            return None if rule.put else there
        others = self._store.objects(token) if rule.unique else ()
        return next((each for each in others if are_alike(rule, each.inputs, inputs)), None)

    def _made(
        self,
        shape: ResourceShape,
        rule: TypeRule,
        object_id: str,
        token: str,
        resource: str,
        inputs: Properties,
        olds: Mapping[str, Any] | None = None,
    ) -> CloudObject:
        """Make or change the thing, and return it."""
        outputs = outputs_of(shape, rule, inputs, self._inventor(token, object_id))
        if olds is not None:
            outputs |= _cloud_made(shape, olds)
            outputs |= {name: int(olds.get(name, 0)) + 1 for name in rule.volatile}
        plain = {name: value for name, value in outputs.items() if value is not None}
        thing = CloudObject(object_id, token, resource, dict(inputs), plain)
        self._store.put(thing)
        return thing

    @contextlib.contextmanager
    def _logged(self, action: str, token: str, resource: str, object_id: str) -> Iterator[None]:
        self._store.log(Operation("begin", action, token, resource, object_id))
        yield
        self._store.log(Operation("end", action, token, resource, object_id))


def _cloud_made(shape: ResourceShape, olds: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded outputs that no input decides."""
    names = shape.outputs.fields.keys() - shape.inputs.fields.keys() - {"tagsAll"}
    return {name: olds[name] for name in names if name in olds}


def _failures(shape: ResourceShape, inputs: Mapping[str, Any]) -> list[CheckFailure]:
    return [CheckFailure(name, reason) for name, reason in findings(shape, inputs)]


def _changed(olds: Mapping[str, Any], news: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name in sorted(olds.keys() | news.keys())
        if contains_unknown(news.get(name)) or olds.get(name) != news.get(name)
    ]


def _without_version(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "version"}


def _resource(urn: str) -> str:
    return urn.rpartition("::")[2]
