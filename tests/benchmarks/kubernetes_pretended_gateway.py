"""What Envoy Gateway says of a Gateway, where none runs."""

import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.types import PatchType

from tests.cluster.harness.cluster import KubernetesCluster
from tidegate.traffic.gateway_api.listeners import WANTED

POLL_SECONDS = 0.2
Gateway = create_namespaced_resource("gateway.networking.k8s.io", "v1", "Gateway", "gateways")


class PretendedGateway:
    """Says that a namespace's Gateway is served as soon as there is one, between enter and exit."""

    def __init__(self, cluster: KubernetesCluster, namespace: str) -> None:
        self._client = cluster.client(namespace)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            found = list(self._client.list(Gateway))
            for each in found:
                self._serve(each)
            if found:
                return

    def _serve(self, gateway: Any) -> None:
        status = {"listeners": [_served(gateway, each) for each in gateway["spec"]["listeners"]]}
        try:
            self._client.patch(
                Gateway.Status,
                gateway.metadata.name,
                {"status": status},
                patch_type=PatchType.MERGE,
            )
        except ApiError as error:
            raise AssertionError(f"the Gateway's status is refused: {error}") from error


def _served(gateway: Any, listener: dict[str, Any]) -> dict[str, Any]:
    conditions = [
        {
            "type": wanted,
            "status": "True",
            "reason": wanted,
            "message": "pretended",
            "observedGeneration": gateway.metadata.generation,
            "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for wanted in WANTED
    ]
    kinds = [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}]
    return {
        "name": listener["name"],
        "attachedRoutes": 0,
        "supportedKinds": kinds,
        "conditions": conditions,
    }
