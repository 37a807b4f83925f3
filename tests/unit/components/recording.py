"""Runs a piece of a Pulumi program without an engine and writes down what it registers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_pulumi_func

from tidegate.provider.resources import make_handlers
from tidegate.provider.schema import token

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Registration:
    """A resource as the engine is asked for it."""

    type: str
    name: str
    urn: str
    parent: str
    custom: bool
    provider: str
    inputs: dict[str, Any]
    dependencies: frozenset[str]
    ignored: tuple[str, ...] = ()

    @property
    def is_provider(self) -> bool:
        return self.type.startswith("pulumi:providers:")


@dataclass
class Recording:
    """What a program registered, in its order, and the URNs whose outputs it registered."""

    resources: list[Registration] = field(default_factory=list)
    with_outputs: dict[str, set[str]] = field(default_factory=dict)

    def only(self, type_name: str, name: str | None = None) -> Registration:
        (found,) = (
            each
            for each in self.resources
            if each.type == type_name and (name is None or each.name == name)
        )
        return found

    def is_after(self, resource: Registration, urn: str) -> bool:
        """Whether it, or anything that it depends on, depends on what the URN names."""
        depends = {each.urn: each.dependencies for each in self.resources}
        seen: set[str] = set()
        left = [resource.urn]
        while left:
            found = depends.get(left.pop(), frozenset()) - seen
            seen |= found
            left += found
        return urn in seen

    def is_below(self, resource: Registration, urn: str) -> bool:
        parents = {each.urn: each.parent for each in self.resources}
        parent = resource.parent
        while parent in parents and parent != urn:
            parent = parents[parent]
        return parent == urn


OUTPUTS = {
    token(handler): [
        info.alias or name for name, info in handler.outputs_model.model_fields.items()
    ]
    for handler in make_handlers(None)
}


MADE_BY_CLOUDS: dict[str, dict[str, Any]] = {
    "aws:eks/cluster:Cluster": {"certificateAuthority": {"data": "Y2E="}},
    "aws:eks/nodeGroup:NodeGroup": {"resources": [{"autoscalingGroups": [{"name": "nodes"}]}]},
    "aws:ecr/repository:Repository": {"repositoryUrl": "registry.test/prod/runner"},
    "aws:kms/key:Key": {"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab"},
    "gcp:compute/globalAddress:GlobalAddress": {"address": "10.64.0.0"},
    "gcp:container/cluster:Cluster": {
        "name": "prod",
        "endpoint": "203.0.113.10",
        "masterAuth": {"clusterCaCertificate": "Y2E="},
    },
    "gcp:filestore/instance:Instance": {"networks": [{"ipAddresses": ["10.64.1.2"]}]},
    "gcp:lustre/instance:Instance": {"mountPoint": "10.64.0.2@tcp:/lustre"},
    "gcp:parallelstore/instance:Instance": {"accessPoints": ["10.64.0.2"]},
}
"""Outputs that components look into."""


class _Echo(mocks.Mocks):
    """A resource's state is its inputs and, for each output of its type, a text."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        outputs = {name: f"{name} of {args.name}" for name in OUTPUTS.get(args.typ, ())}
        outputs |= MADE_BY_CLOUDS.get(args.typ, {})
        if args.typ.startswith(("aws:", "gcp:")):
            made = {"name": args.name}
            if args.typ.startswith("aws:"):
                made["arn"] = f"arn:aws:x:us-east-2:123456789012:{args.name}"
            outputs |= {name: value for name, value in made.items() if name not in args.inputs}
        return f"{args.name}-id", {**args.inputs, **outputs}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        raise AssertionError(f"a component called {args.token}: it depends on more than its args")


class _Monitor(mocks.MockMonitor):
    def __init__(self, recording: Recording) -> None:
        super().__init__(_Echo())
        self._recording = recording

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:  # noqa: N802
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != STACK_TYPE:
            self._recording.resources.append(
                Registration(
                    type=request.type,
                    name=request.name,
                    urn=response.urn,
                    parent=request.parent,
                    custom=request.custom,
                    provider=request.provider,
                    inputs=dict(request.object),
                    dependencies=frozenset(request.dependencies),
                    ignored=tuple(request.ignoreChanges),
                )
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self._recording.with_outputs[request.urn] = set(request.outputs)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def record(program: Callable[[], object]) -> Recording:
    """Run the program on an event loop and mocks of its own."""
    recording = Recording()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.settings.reset_options()
        mocks.set_mocks(_Echo(), monitor=_Monitor(recording), preview=False)
        loop.run_until_complete(run_pulumi_func(lambda: _run(program)))
    finally:
        pulumi.runtime.settings.reset_options()
        asyncio.set_event_loop(None)
        loop.close()
    return recording


def _run(program: Callable[[], object]) -> None:
    program()
