"""The provider's resources as Pulumi programs declare them.

The schema that the provider publishes describes every property; see `tidegate.provider.resources`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pulumi
from pydantic.alias_generators import to_camel, to_snake

from tidegate.spec.signature import SpecModel
from tidegate.spec.traffic import Affinity, SwitchStrategy


class _Resource(pulumi.CustomResource):
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


def _plain(model: SpecModel) -> dict[str, Any]:
    """The model as the engine stores it."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class TidegateProvider(pulumi.ProviderResource):
    """The provider, told how to reach one embedded platform.

    Stacks pass it explicitly: the project and the package share a name, so a default provider
    would receive the project's own settings as its configuration.
    """

    def __init__(
        self,
        name: str,
        *,
        state_folder: Path,
        environment: str,
        stack_file: str,
        evidence: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {
            "stateFolder": str(state_folder),
            "environment": environment,
            "evidence": evidence,
            "stackFile": stack_file,
        }
        super().__init__("tidegate", name, properties, opts)


class TidegateClusterProvider(pulumi.ProviderResource):
    """The provider, told how to reach a cluster, which the first preview may not know yet."""

    def __init__(
        self,
        name: str,
        *,
        kubeconfig: pulumi.Input[str] | None,
        context: str | None,
        namespace: str,
        gateway: SpecModel,
        runner_image: str,
        evidence: str,
        environment: str,
        stack_file: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        connection = {
            "kubeconfig": pulumi.Output.secret(kubeconfig) if kubeconfig is not None else None,
            "context": context,
            "namespace": namespace,
            "gateway": _plain(gateway),
            "runnerImage": runner_image,
            "evidence": evidence,
            "environment": environment,
            "stackFile": stack_file,
        }
        given = {key: value for key, value in connection.items() if value is not None}
        # The engine wants objects among a provider's inputs as JSON text.
        properties = {"kubernetes": pulumi.Output.json_dumps(given)}
        super().__init__("tidegate", name, properties, opts)


class Gateway(_Resource):
    """Envoy on this machine. Ports that are not given are chosen and kept."""

    address: pulumi.Output[str]
    admin_address: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        revisions: Sequence[str],
        services: Sequence[str],
        port: int | None = None,
        admin_port: int | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "revisions": sorted(revisions),
            "services": sorted(services),
            "port": port,
            "admin_port": admin_port,
        }
        super().__init__("Gateway", name, inputs, ["address", "admin_address"], opts)


class TritonServer(_Resource):
    """A Triton on this machine that serves one revision."""

    http_target: pulumi.Output[str]
    grpc_target: pulumi.Output[str]
    metrics_target: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        revision: str,
        service: str,
        release: str,
        serving_root: Path,
        release_digest: str,
        ready_timeout_seconds: float,
        health_interval_seconds: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "revision": revision,
            "service": service,
            "release": release,
            "serving_root": str(serving_root),
            "release_digest": release_digest,
            "ready_timeout_seconds": ready_timeout_seconds,
            "health_interval_seconds": health_interval_seconds,
        }
        outputs = ["http_target", "grpc_target", "metrics_target"]
        super().__init__("TritonServer", name, inputs, outputs, opts)


class SlotReadiness(_Resource):
    """Exists when a slot's pods serve; says otherwise, in time, what keeps them from it."""

    condition: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        service: str,
        revision: str,
        workload: Literal["Deployment", "LeaderWorkerSet"],
        workload_name: str,
        service_name: str,
        replicas: int,
        timeout_seconds: float,
        accelerator_pool: str | None,
        pools: Sequence[Mapping[str, Any]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`pools`: name, nodeLabels and allocatable (resource to quantity) of each."""
        inputs = {
            "service": service,
            "revision": revision,
            "workload": workload,
            "workload_name": workload_name,
            "service_name": service_name,
            "replicas": replicas,
            "timeout_seconds": timeout_seconds,
            "accelerator_pool": accelerator_pool,
            "pools": list(pools),
        }
        super().__init__("SlotReadiness", name, inputs, ["condition"], opts)


class LoadTestGate(_Resource):
    """Exists only when a load test has passed the revision, or when none was asked (`keep`)."""

    outcome: pulumi.Output[str]
    summary: pulumi.Output[str]
    evidence: pulumi.Output[str]
    report: pulumi.Output[str]
    nonce: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        service: str,
        revision: str,
        release: str,
        role: Literal["required", "keep"],
        serving_root: Path,
        release_digest: str,
        profile: Mapping[str, Any],
        http_target: pulumi.Input[str],
        grpc_target: pulumi.Input[str],
        metrics_target: pulumi.Input[str],
        accelerator_pool: str | None = None,
        retry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "service": service,
            "revision": revision,
            "release": release,
            "role": role,
            "serving_root": str(serving_root),
            "release_digest": release_digest,
            "profile": profile,
            "http_target": http_target,
            "grpc_target": grpc_target,
            "metrics_target": metrics_target,
            "accelerator_pool": accelerator_pool,
            "retry": retry,
        }
        outputs = ["outcome", "summary", "evidence", "report", "nonce"]
        super().__init__("LoadTestGate", name, inputs, outputs, opts)


class TrafficSwitch(_Resource):
    """Owns the routes of one service."""

    live_revision: pulumi.Output[str]
    weights: pulumi.Output[Mapping[str, int]]
    condition: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        service: str,
        models: Sequence[str],
        revision: str,
        standby: str | None,
        strategy: SwitchStrategy,
        affinity: Affinity | None,
        retries: int,
        max_stream_seconds: float | None,
        request_timeout_seconds: float,
        drain_seconds: float,
        retry: str | None,
        hostnames: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "service": service,
            "models": list(models),
            "revision": revision,
            "standby": standby,
            "strategy": _plain(strategy),
            "affinity": _plain(affinity) if affinity is not None else None,
            "retries": retries,
            "max_stream_seconds": max_stream_seconds,
            "request_timeout_seconds": request_timeout_seconds,
            "drain_seconds": drain_seconds,
            "retry": retry,
            "hostnames": list(hostnames) or None,
        }
        outputs = ["live_revision", "weights", "condition"]
        super().__init__("TrafficSwitch", name, inputs, outputs, opts)


class TrafficHold(_Resource):
    """Keeps a slot from being deleted while traffic can reach it."""

    drain_limit_seconds: pulumi.Output[float]

    def __init__(
        self,
        name: str,
        *,
        service: str,
        revision: str,
        drain_seconds: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"service": service, "revision": revision, "drain_seconds": drain_seconds}
        super().__init__("TrafficHold", name, inputs, ["drain_limit_seconds"], opts)
