"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler in the cluster's network."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import httpx

from tests.cluster.harness.credentials import (
    kubeconfig,
    new_token,
    serving_certificate,
    signing_key,
)
from tests.cluster.harness.network import ClusterNetwork
from tests.cluster.harness.server_process import ServerProcess
from tests.cluster.harness.tools import Tools

PORT = 6443
SERVICE_ADDRESSES = "10.78.0.0/16"
"""Addresses of Services. Nothing routes them; pods reach Services by name (service_names.py)."""
NODE_GRACE_SECONDS = 30
EVICTION_SECONDS = 5
"""How long pods stay bound to an unreachable node; 300 s in a cluster without this setting."""
CLIENT_RATE = ("--kube-api-qps=300", "--kube-api-burst=500")


class ControlPlane:
    """The four programs; logs in `folder`/logs. RBAC and the usual admission are on."""

    def __init__(self, network: ClusterNetwork, tools: Tools, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"https://{network.cluster_address}:{PORT}"
        self._token = new_token()
        certificate = serving_certificate(
            folder,
            "kube-apiserver",
            [network.cluster_address],
            ["kubernetes.default.svc", "kubernetes.default.svc.cluster.local"],
        )
        self.authority = certificate.certificate
        key = signing_key(folder)
        tokens = folder / "tokens.csv"
        tokens.write_text(f'{self._token},admin,admin,"system:masters"\n')
        self.kubeconfig = kubeconfig(self.url, self.authority, self._token)
        self.kubeconfig_file = folder / "kubeconfig"
        self.kubeconfig_file.write_text(self.kubeconfig)
        self._store = folder / "etcd"
        logs = folder / "logs"

        def server(name: str, *arguments: str) -> ServerProcess:
            command = [*network.prefix(), str(tools.program(name)), *arguments]
            return ServerProcess(name, command, logs / f"{name}.log")

        self.etcd = server(
            "etcd",
            f"--data-dir={self._store}",
            "--unsafe-no-fsync",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--log-level=warn",
        )
        self.apiserver = server(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--bind-address={network.cluster_address}",
            f"--advertise-address={network.cluster_address}",
            f"--secure-port={PORT}",
            f"--tls-cert-file={certificate.certificate}",
            f"--tls-private-key-file={certificate.key}",
            f"--service-cluster-ip-range={SERVICE_ADDRESSES}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={tokens}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key.public}",
            f"--service-account-signing-key-file={key.private}",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
            f"--default-unreachable-toleration-seconds={EVICTION_SECONDS}",
            "--max-requests-inflight=2000",
            "--max-mutating-requests-inflight=1000",
        )
        self.controller_manager = server(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig_file}",
            f"--root-ca-file={self.authority}",
            f"--service-account-private-key-file={key.private}",
            f"--node-monitor-grace-period={NODE_GRACE_SECONDS}s",
            "--node-monitor-period=1s",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            *CLIENT_RATE,
        )
        self.scheduler = server(
            "kube-scheduler",
            f"--kubeconfig={self.kubeconfig_file}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            *CLIENT_RATE,
        )

    def start(self) -> None:
        """Start all and wait until the API server is ready. Raises ServerEnded."""
        self.etcd.start()
        self.start_apiserver()
        self.controller_manager.start()
        self.scheduler.start()

    def start_apiserver(self) -> None:
        """Start it and wait until it is ready, for example after `apiserver.kill()`."""
        self.apiserver.start()
        context = ssl.create_default_context(cafile=str(self.authority))
        headers = {"Authorization": f"Bearer {self._token}"}
        with httpx.Client(verify=context, headers=headers, trust_env=False) as client:
            self.apiserver.wait_until(lambda: _is_ready(client, f"{self.url}/readyz"))

    def restart_apiserver(self) -> None:
        """As after a crash: clients lose their connections in the middle of things."""
        self.apiserver.kill()
        self.start_apiserver()

    def stop(self) -> None:
        """End all four, without waiting for their clients, and forget what they stored."""
        for server in (self.scheduler, self.controller_manager, self.apiserver, self.etcd):
            server.kill()
        shutil.rmtree(self._store, ignore_errors=True)


def _is_ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).text == "ok"
    except httpx.TransportError:
        return False
