"""A test cluster: real control plane, pretended and real pods, nothing shared with the machine."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from lightkube import Client, KubeConfig
from lightkube.models.authentication_v1 import TokenRequestSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ServiceAccountToken

from tests.cluster.harness.control_plane import ControlPlane
from tests.cluster.harness.crds import FILES, apply_crds, wait_until_established
from tests.cluster.harness.credentials import kubeconfig
from tests.cluster.harness.images import Registry
from tests.cluster.harness.kubelet.stand_in import StandInKubelet
from tests.cluster.harness.kwok import kwok
from tests.cluster.harness.network import ClusterNetwork
from tests.cluster.harness.nodes import DEFAULT_NODES, Nodes
from tests.cluster.harness.tools import Tools

TOKEN_SECONDS = 3600


class KubernetesCluster:
    """Started by its constructor; `close` ends and removes everything."""

    def __init__(self, tools: Tools, folder: Path) -> None:
        self.folder = folder
        self.tools = tools
        self.images = Registry()
        with contextlib.ExitStack() as ending:
            self.network = ClusterNetwork()
            ending.callback(self.network.close)
            self.control_plane = ControlPlane(self.network, tools, folder / "control-plane")
            self.kubeconfig = self.control_plane.kubeconfig
            self.kubeconfig_file = self.control_plane.kubeconfig_file
            ending.callback(self.control_plane.stop)
            self.control_plane.start()
            log = folder / "logs" / "kwok.log"
            self.kwok = kwok(self.network, tools, self.kubeconfig_file, log)
            ending.callback(self.kwok.kill)
            self.kwok.start()
            self.kubelet = StandInKubelet(
                self.kubeconfig, self.network, self.images, folder / "kubelet"
            )
            ending.callback(self.kubelet.close)
            self.kubelet.start()
            client = self.client()
            self.nodes = Nodes(client, self.kubelet, self.network.host_address)
            self.nodes.add(*DEFAULT_NODES)
            names = [
                name
                for each, pattern in FILES.items()
                for name in apply_crds(client, tools.folder(each), pattern)
            ]
            wait_until_established(client, names)
            self._ending = ending.pop_all()

    def client(self, namespace: str = "default") -> Client:
        """A client with all rights."""
        config = KubeConfig.from_dict(json.loads(self.kubeconfig))
        return Client(config=config, namespace=namespace, trust_env=False)

    def kubeconfig_for(self, namespace: str, service_account: str) -> str:
        """A kubeconfig with the rights of a service account."""
        spec = TokenRequestSpec(audiences=[], expirationSeconds=TOKEN_SECONDS)
        request = ServiceAccountToken(spec=spec, metadata=ObjectMeta())
        made = self.client().create(request, service_account, namespace=namespace)
        plane = self.control_plane
        token = (made.status.token if made.status else None) or ""
        return kubeconfig(plane.url, plane.authority, token, namespace)

    def close(self) -> None:
        """Raises NetworkError when something of it remains."""
        self._ending.close()
