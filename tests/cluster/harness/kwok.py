"""kwok: pretends that pods run on its nodes. They become ready at once and never complete."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.harness.network import ClusterNetwork
from tests.cluster.harness.server_process import ServerProcess
from tests.cluster.harness.tools import Tools

STAGES = ("pod-ready", "pod-delete", "node-initialize", "node-heartbeat-with-lease")
"""Without pod-complete, which ends the pods of every Job at once."""
LEASE_SECONDS = 40
"""Without leases its nodes are not ready after a while."""
POD_ADDRESSES = "10.79.0.1/16"


def kwok(network: ClusterNetwork, tools: Tools, kubeconfig: Path, log: Path) -> ServerProcess:
    stages = tools.folder("kwok-stages")
    command = [
        *network.prefix(),
        str(tools.program("kwok")),
        f"--kubeconfig={kubeconfig}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--node-lease-duration-seconds={LEASE_SECONDS}",
        f"--cidr={POD_ADDRESSES}",
        f"--node-ip={network.cluster_address}",
        *(f"--config={stages / each}.yaml" for each in STAGES),
    ]
    return ServerProcess("kwok", command, log)
