"""Resources of the embedded platform."""

from collections.abc import Sequence
from pathlib import Path

import pulumi

from tidegate.resources.base import TidegateResource


class Gateway(TidegateResource):
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


class TritonServer(TidegateResource):
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
