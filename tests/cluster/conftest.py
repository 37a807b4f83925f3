"""One cluster per test process, a namespace per test."""

from collections.abc import Iterator
from itertools import count

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, Pod

from tests.cluster.harness import programs
from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.harness.network import NetworkError
from tests.cluster.harness.tools import Tools
from toolchain.errors import ToolchainError
from toolchain.installed import tool_folder, tool_path


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesCluster]:
    """Control plane, nodes, custom resources and the images that tests run."""
    folder = tmp_path_factory.mktemp("cluster")
    try:
        made = KubernetesCluster(Tools(tool_path, tool_folder), folder)
    except (NetworkError, ToolchainError) as error:
        pytest.fail(str(error), pytrace=False)
    try:
        programs.add_images(made.images, folder / "images")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def gateway(cluster: KubernetesCluster) -> EnvoyGateway:
    """Envoy Gateway in the cluster, with the GatewayClass `tidegate-test`."""
    return EnvoyGateway(cluster)


@pytest.fixture(scope="session")
def namespace_numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def namespace(cluster: KubernetesCluster, namespace_numbers: Iterator[int]) -> Iterator[str]:
    """A namespace of the test's own; its objects go with it."""
    name = f"test-{next(namespace_numbers)}"
    client = cluster.client()
    client.create(Namespace(metadata=ObjectMeta(name=name)))
    yield name
    client.delete(Namespace, name)
    # Nothing new can start in it now; what runs need not take its time to end.
    client.deletecollection(Pod, namespace=name, grace_period=0)


@pytest.fixture
def api(cluster: KubernetesCluster, namespace: str) -> Client:
    """A client with all rights, in the test's namespace."""
    return cluster.client(namespace)
