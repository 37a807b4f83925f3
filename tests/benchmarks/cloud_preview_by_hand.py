"""The same resources from a program that somebody writes by hand with the cloud's SDK.

It has the inputs of every resource ready in a file and only declares them, without components: the
least that such a program can do. The file comes from a run of our own program without an engine.
"""

import asyncio
import importlib
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_pulumi_func

from tests.benchmarks.cloud_preview_plans import CloudExample
from tests.cloud.harness.invokes import AWS_INVOKES, GCP_INVOKES
from tests.cloud.harness.sdk_shapes import ResourceShape, Sdk, Shape
from tests.cloud.harness.surroundings import surroundings_of
from tests.cloud.harness.synthesis import outputs_of
from tidegate.spec.cluster_plan import ClusterPlan, parse_cluster

OUTPUT, CONCAT = "$output", "$concat"
MARK = "MARK[0-9]+MARK"
"""Stands for an output of the run without an engine, also inside of JSON and other texts."""

STACK = "pulumi:pulumi:Stack"
PROVIDERS = "pulumi:providers:"
INVOKES = {**AWS_INVOKES, **GCP_INVOKES}
CUSTOM = ("pulumi_kubernetes.apiextensions", "CustomResource")


def resources_by_hand(example: CloudExample, pools: int, sdk_cache: Path) -> list[dict[str, Any]]:
    """What the program reads: each resource with its class, its inputs and what it waits for."""
    recording = _Recording(sdk_cache)
    plan = parse_cluster(example.document(pools))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.settings.reset_options()
        mocks.set_mocks(recording, monitor=_Monitor(recording), preview=False)
        loop.run_until_complete(run_pulumi_func(lambda: _declare(example, plan)))
    finally:
        pulumi.runtime.settings.reset_options()
        asyncio.set_event_loop(None)
        loop.close()
    return [_written(each, recording) for each in recording.made.values()]


def _declare(example: CloudExample, plan: ClusterPlan) -> None:
    # What is ours is loaded by its name, as a stack's program does: one cloud's SDK, not both.
    module = importlib.import_module(f"tidegate.{example.cloud}.gpu_cluster")
    module.GpuCluster(plan.name, module.GpuClusterArgs(plan=plan, now=datetime.now(UTC)))


@dataclass(frozen=True)
class _Made:
    """A registered resource. What outputs of others put into its inputs is a mark there."""

    number: int
    type: str
    name: str
    inputs: dict[str, Any]
    dependencies: Sequence[str]
    protect: bool
    ignore_changes: Sequence[str]


@dataclass
class _Recording(mocks.Mocks):
    """`made` by URN; `marks`: from which resource's output a mark is, and the way to it."""

    sdk_cache: Path
    made: dict[str, _Made] = field(default_factory=dict)
    marks: dict[str, tuple[int, tuple[str | int, ...]]] = field(default_factory=dict)
    _sdks: dict[str, Sdk] = field(default_factory=dict)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        number, count = len(self.made), len(self.marks)
        if not args.custom:
            return "", dict(args.inputs)

        def mark(_name: str, kind: str) -> Any:
            nonlocal count
            count += 1
            return False if kind == "bool" else f"MARK{count}MARK"

        outputs = self._outputs(args, mark)
        object_id = mark("id", "string")
        for way, found in _leaves({**outputs, "id": object_id}):
            if isinstance(found, str) and re.fullmatch(MARK, found):
                # An input that it only repeats is the mark of whoever made the value.
                self.marks.setdefault(found, (number, way))
        return object_id, outputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        return dict(INVOKES[args.token](args.args)), []

    def _outputs(self, args: mocks.MockResourceArgs, mark: Any) -> dict[str, Any]:
        package = args.typ.partition(":")[0]
        around = surroundings_of(package) if package in ("aws", "gcp", "kubernetes") else None
        if around is None:
            return dict(args.inputs)
        sdk = self._sdks.setdefault(package, Sdk(package, self.sdk_cache))
        shape, rule = sdk.resource(args.typ), around.rule(args.typ)
        if shape is None:
            shape = ResourceShape(args.typ, Shape(args.typ, {}), Shape(args.typ, {}), {})
        outputs = outputs_of(shape, rule, args.inputs, mark)
        name = rule.autoname
        if name is not None and name in shape.inputs.fields and name not in args.inputs:
            outputs[name] = mark(name, "string")
        return outputs


class _Monitor(mocks.MockMonitor):
    def __init__(self, recording: _Recording) -> None:
        super().__init__(recording)
        self._recording = recording
        self._one_at_a_time = threading.Lock()

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> Any:  # noqa: N802
        with self._one_at_a_time:
            return self._register(request)

    def _register(self, request: resource_pb2.RegisterResourceRequest) -> Any:
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.custom and request.type != STACK:
            self._recording.made[response.urn] = _Made(
                number=len(self._recording.made),
                type=request.type,
                name=request.name,
                inputs=_whole(MessageToDict(request.object)),
                dependencies=tuple(request.dependencies),
                protect=request.protect,
                ignore_changes=tuple(request.ignoreChanges),
            )
        return response


def _whole(value: Any) -> Any:
    """Numbers that are whole as such: on the wire all of them are floating."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _leaves(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, (*way, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _leaves(each, (*way, number))
    else:
        yield way, value


def _written(made: _Made, recording: _Recording) -> dict[str, Any]:
    module, name = _class_of(made.type)
    inputs = made.inputs
    if made.type.startswith("kubernetes:") and (module, name) != CUSTOM:
        inputs = {key: each for key, each in inputs.items() if key not in ("apiVersion", "kind")}
    numbers = {urn: each.number for urn, each in recording.made.items()}
    text = json.dumps(made.inputs)
    referred = {recording.marks[each][0] for each in re.findall(MARK, text)}
    waits_for = {numbers[urn] for urn in made.dependencies if urn in numbers}
    return {
        "package": made.type.partition(":")[0],
        "module": module,
        "class": name,
        "name": made.name,
        "inputs": _with_references(inputs, recording.marks),
        "needs": sorted(waits_for - referred),
        "protect": made.protect or None,
        "ignoreChanges": list(made.ignore_changes),
    }


def _with_references(value: Any, marks: Mapping[str, tuple[int, tuple[str | int, ...]]]) -> Any:
    if isinstance(value, dict):
        return {name: _with_references(each, marks) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_references(each, marks) for each in value]
    if not isinstance(value, str):
        return value
    parts = [each for each in re.split(f"({MARK})", value) if each]
    told = [_reference(*marks[each]) if each in marks else each for each in parts]
    if len(told) > 1:
        return {CONCAT: told}
    return told[0] if told else value


def _reference(number: int, way: Sequence[str | int]) -> dict[str, list[str | int]]:
    return {OUTPUT: [number, *way]}


def _class_of(token: str) -> tuple[str, str]:
    """Module and class: `aws:ec2/vpc:Vpc` is `pulumi_aws.ec2` and `Vpc`."""
    if token.startswith(PROVIDERS):
        return f"pulumi_{token.removeprefix(PROVIDERS)}", "Provider"
    package, middle, name = token.split(":")
    first, _, version = middle.partition("/")
    if package != "kubernetes":
        return f"pulumi_{package}.{first}", name
    module = f"pulumi_kubernetes.{first.partition('.')[0]}.{version}"
    try:
        return (module, name) if hasattr(importlib.import_module(module), name) else CUSTOM
    except ModuleNotFoundError:
        return CUSTOM
