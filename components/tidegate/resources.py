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
        super().__init__(f"tidegate:index:{type_name}", name, properties, opts)

    def translate_input_property(self, prop: str) -> str:
        return to_camel(prop)

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
