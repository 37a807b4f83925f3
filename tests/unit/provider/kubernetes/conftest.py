from pathlib import Path

import pytest

from tests.unit.cluster.api_server import NAMESPACE, ApiServer
from tests.unit.provider.kubernetes.runners import Runners
from tidegate.cluster.client import Cluster
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.provider.kubernetes import drains, gate_runs, slot_readiness, switch_runs
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.spec.kubernetes_gateway import GatewayReference


class AccessInMemory(ClusterAccess):
    def __init__(self, configuration: KubernetesConfiguration, cluster: Cluster) -> None:
        super().__init__(configuration)
        self._cluster = cluster


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    monkeypatch.setattr(gate_runs, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(switch_runs, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(drains, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(slot_readiness, "POLL_SECONDS", 0.01)
    return ApiServer()


@pytest.fixture
def access(api: ApiServer, tmp_path: Path) -> ClusterAccess:
    configuration = KubernetesConfiguration(
        namespace=NAMESPACE,
        gateway=GatewayReference(namespace=NAMESPACE, name="tidegate"),
        runner_image="registry.test/tidegate/runner:1",
        environment="test",
        evidence="s3://evidence/team-a",
        stack_file="stacks/Pulumi.test.yaml",
    )
    return AccessInMemory(configuration, api.cluster())


@pytest.fixture
def runners(api: ApiServer) -> Runners:
    """Carries out Jobs as soon as they are made."""
    return Runners(api)
