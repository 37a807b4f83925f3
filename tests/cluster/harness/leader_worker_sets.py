"""The controller of LeaderWorkerSet with its webhooks, beside the control plane.

Its webhooks take part in the creation of every pod, as they do where it is installed.
"""

from __future__ import annotations

import base64
import socket
from typing import Any

import yaml
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.admissionregistration_v1 import (
    MutatingWebhookConfiguration,
    ValidatingWebhookConfiguration,
)
from lightkube.resources.core_v1 import Namespace

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.crds import apply_crds, wait_until_established
from tests.cluster.harness.credentials import serving_certificate
from tests.cluster.harness.server_process import ServerProcess

NAMESPACE = "lws-system"
PORT = 9443
CRDS, WEBHOOKS = "leaderworkerset-crds", "leaderworkerset-webhooks"
CONFIGURATIONS: dict[str, Any] = {
    "MutatingWebhookConfiguration": MutatingWebhookConfiguration,
    "ValidatingWebhookConfiguration": ValidatingWebhookConfiguration,
}


class LeaderWorkerSets:
    """Installed and started by its constructor."""

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._client = cluster.client()
        self._address = cluster.network.cluster_address
        folder = cluster.folder / "leaderworkerset"
        folder.mkdir()
        self._client.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
        crds = cluster.tools.folder(CRDS)
        wait_until_established(self._client, apply_crds(self._client, crds, "*.yaml"))
        certificate = serving_certificate(folder, "tls", [self._address])
        settings = folder / "manager.yaml"
        settings.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "config.lws.x-k8s.io/v1alpha1",
                    "kind": "Configuration",
                    "leaderElection": {"leaderElect": False},
                    "internalCertManagement": {"enable": False},
                    "webhook": {"port": PORT, "certDir": str(folder)},
                    "metrics": {"bindAddress": "0"},
                    "health": {"healthProbeBindAddress": "0"},
                }
            )
        )
        program = str(cluster.tools.program("leaderworkerset-manager"))
        self._process = ServerProcess(
            "leaderworkerset-manager",
            [*cluster.network.prefix(), program, f"--config={settings}"],
            cluster.folder / "logs" / "leaderworkerset-manager.log",
            {"KUBECONFIG": str(cluster.kubeconfig_file), "HOME": str(folder)},
        )
        self._process.start()
        self._process.wait_until(self._listens)
        text = next(cluster.tools.folder(WEBHOOKS).glob("*.yaml")).read_text(encoding="utf-8")
        authority = base64.b64encode(certificate.certificate.read_bytes()).decode()
        self._webhooks = [
            self._client.create(
                CONFIGURATIONS[each["kind"]].from_dict(self._reachable(each, authority))
            )
            for each in yaml.safe_load_all(text)
        ]

    def close(self) -> None:
        """The webhooks go first: without their server no pod could be made."""
        for each in self._webhooks:
            self._client.delete(type(each), each.metadata.name)
        self._process.kill()

    def _listens(self) -> bool:
        try:
            socket.create_connection((self._address, PORT), timeout=1).close()
        except OSError:
            return False
        return True

    def _reachable(self, configuration: dict[str, Any], authority: str) -> dict[str, Any]:
        """The module's own configuration, which names a Service that nothing routes here."""
        for webhook in configuration["webhooks"]:
            path = webhook["clientConfig"]["service"]["path"]
            webhook["clientConfig"] = {
                "url": f"https://{self._address}:{PORT}{path}",
                "caBundle": authority,
            }
        name = f"lws-{configuration['metadata']['name']}"
        return {**configuration, "metadata": {"name": name}}
