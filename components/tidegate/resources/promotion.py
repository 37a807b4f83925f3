"""Resources of a promotion, the same on every platform."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pulumi

from tidegate.resources.base import TidegateResource, plain
from tidegate.spec.traffic import Affinity, SwitchStrategy


class LoadTestGate(TidegateResource):
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


class TrafficHold(TidegateResource):
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


class TrafficSwitch(TidegateResource):
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
            "strategy": plain(strategy),
            "affinity": plain(affinity) if affinity is not None else None,
            "retries": retries,
            "max_stream_seconds": max_stream_seconds,
            "request_timeout_seconds": request_timeout_seconds,
            "drain_seconds": drain_seconds,
            "retry": retry,
            "hostnames": list(hostnames) or None,
        }
        outputs = ["live_revision", "weights", "condition"]
        super().__init__("TrafficSwitch", name, inputs, outputs, opts)
