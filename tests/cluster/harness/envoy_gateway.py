"""Envoy Gateway as a cluster has it: a Deployment that makes further Deployments of Envoys.

The stand-in runs both, so certificates, service accounts and services are the real ones. Envoys
listen on their pods' addresses, at the listeners' ports (10000 is added to ports below 1024), and
give their statistics at port 19001.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from lightkube import codecs
from lightkube.generic_resource import create_global_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, Pod

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.images import SEARCH_PATH
from tests.cluster.harness.programs import envoy_gateway_image, envoy_image
from tests.engine.harness.waiting import wait_for

NAMESPACE = "envoy-gateway-system"
GATEWAY_CLASS = "tidegate-test"
MANIFESTS = Path(__file__).with_name("envoy_gateway.yaml")
GATEWAY_IMAGES = ("docker.io/envoyproxy/gateway", "docker.io/envoyproxy/gateway-dev")
"""Envoy Gateway's own, and what it takes for the shutdown manager beside each Envoy."""
ENVOY_IMAGE = "docker.io/envoyproxy/envoy"
START_SECONDS = 180.0

create_global_resource("gateway.networking.k8s.io", "v1", "GatewayClass", "gatewayclasses")


class EnvoyGateway:
    """Installed and started by its constructor; ends with the cluster."""

    namespace = NAMESPACE
    gateway_class = GATEWAY_CLASS

    def __init__(self, cluster: KubernetesCluster) -> None:
        program = cluster.tools.program("envoy-gateway")
        for image in GATEWAY_IMAGES:
            cluster.images.add(image, envoy_gateway_image(program))
        cluster.images.add(ENVOY_IMAGE, envoy_image())
        self._client = cluster.client(NAMESPACE)
        self._client.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
        _make_certificates(cluster, program)
        for manifest in codecs.load_all_yaml(MANIFESTS.read_text(encoding="utf-8")):
            self._client.create(manifest)
        wait_for("Envoy Gateway", self._is_ready, START_SECONDS)

    def envoys(self, namespace: str, gateway: str) -> list[str]:
        """Addresses of a Gateway's ready Envoys."""
        owner = "gateway.envoyproxy.io/owning-gateway"
        labels = {f"{owner}-name": gateway, f"{owner}-namespace": namespace}
        found = self._client.list(Pod, labels=dict(labels))
        return [str(each.status.podIP) for each in found if each.status and _is_ready(each)]

    def _is_ready(self) -> bool:
        pods = self._client.list(Pod, labels={"control-plane": "envoy-gateway"})
        return any(_is_ready(each) for each in pods)


def _is_ready(pod: Pod) -> bool:
    conditions = (pod.status.conditions if pod.status else None) or []
    return any(each.type == "Ready" and each.status == "True" for each in conditions)


def _make_certificates(cluster: KubernetesCluster, program: Path) -> None:
    """Have Envoy Gateway write the Secrets of its own and its Envoys' certificates."""
    subprocess.run(
        [*cluster.network.prefix(), str(program), "certgen", "--disable-topology-injector"],
        env={
            "PATH": SEARCH_PATH,
            "HOME": str(cluster.folder),
            "KUBECONFIG": str(cluster.kubeconfig_file),
            "ENVOY_GATEWAY_NAMESPACE": NAMESPACE,
        },
        check=True,
        capture_output=True,
    )
