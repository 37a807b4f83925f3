"""Every object of every component, judged by a real API server that knows all the schemas.

Server-side dry runs with strict field validation: an unknown field, a wrong type, a broken rule
of a definition or a pod below the `restricted` standard is an error here.
"""

import base64
import json
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from tests.cluster.harness.cluster import KubernetesCluster
from tests.unit.components.examples import (
    L4,
    RUNNER_IMAGE,
    revision_on_kubernetes,
)
from tidegate.cluster.client import Object, connect
from tidegate.cluster.errors import InvalidError
from tidegate.cluster.kinds import JOB, Kind
from tidegate.jobs.runner_jobs import RunnerJob, job_object
from tidegate.kubernetes.gateway_objects import gateway_objects, reference
from tidegate.kubernetes.network import Network, default_deny, runner_policy
from tidegate.kubernetes.objects import Manifest
from tidegate.kubernetes.platform_objects import namespace_object, priority_class
from tidegate.kubernetes.runner_access import runner_access
from tidegate.kubernetes.slot_objects import existing_service, slot_objects
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.spec.kubernetes_gateway import GatewayReference, Https, NewGateway
from tidegate.spec.runner_pods import RunnerPods
from tidegate.spec.serving_on_kubernetes import ExistingServing, Replicas
from tidegate.spec.traffic import Affinity
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.objects import render
from tidegate.traffic.routes import ServiceRoutes

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

IMAGE = "registry.test/models/digits@sha256:" + "1" * 64
SLOTS: dict[str, dict[str, Any]] = {
    "bucket": {},
    "own-bucket": {
        "model": {
            "objectStorage": {
                "url": "s3://models/digits",
                "endpoint": "http://minio.storage:9000",
                "credentialsSecret": "minio",
            }
        }
    },
    "image": {"model": {"ociImage": {"reference": IMAGE, "path": "repository"}}},
    "volume": {"model": {"persistentVolumeClaim": {"claim": "warm", "path": "digits/1"}}},
    "group": {
        "nodes": 2,
        "worker_command": ["worker"],
        "gpus": 4,
        "extended_resources": {"vpc.amazonaws.com/efa": 4, "rdma/shared_a": 1},
        "hugepages_gib": 5,
    },
    "no-gpu": {"gpus": 0, "cpus": 0.5, "memory_gib": 1.5},
    "identity": {"service_account_annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1"}},
}
STACK = "tests/contract"
GATEWAYS = {
    "http": NewGateway(),
    "https": NewGateway(http_port=None, https=Https(certificates=("tls",)), replicas=1),
    "own-class": NewGateway(gateway_class="eg", service_type="ClusterIP"),
}


REVISIONS = {"digits-1-aaaaaaaa": 90, "digits-2-bbbbbbbb": 10}
ROUTES = {
    "one": ServiceRoutes("digits", ("digits",), {"digits-1-aaaaaaaa": 100}, 30),
    "canary-on-hosts": ServiceRoutes(
        "digits",
        ("digits", "digits.prior"),
        REVISIONS,
        0.25,
        affinity=Affinity(cookie="digits-session"),
        max_stream_seconds=90.5,
        retries=5,
        hostnames=("digits.test", "*.digits.test"),
    ),
    "sessions-by-header": ServiceRoutes(
        "digits", ("digits",), REVISIONS, 30, affinity=Affinity(header="x-digits-session")
    ),
}
JOBS = {
    "gate": RunnerJob(
        "gate-1f00aa11-001",
        "gate.digits-1-aaaaaaaa.001",
        "gate",
        "digits",
        "digits-1-aaaaaaaa",
        cpus=5,
        memory="5Gi",
        accelerator_pool="l4",
        gate_lease_namespace="gates",
    ),
    "switch": RunnerJob("switch-1f00aa11-001", "switch.digits.001", "switch", "digits", None),
    "drain": RunnerJob(
        "drain-1f00aa11", "drain.digits-1-aaaaaaaa", "drain", "digits", "digits-1-aaaaaaaa"
    ),
}


def configuration(place: str, evidence: str = "s3://evidence/team-a") -> KubernetesConfiguration:
    """Everything that a platform can say of its Jobs."""
    runner = {"nodeLabels": {"kubernetes.io/arch": "amd64"}, "tolerations": [{"key": "dedicated"}]}
    return KubernetesConfiguration(
        namespace=place,
        gateway=reference(NewGateway(), place),
        runner_image=RUNNER_IMAGE,
        environment="test",
        evidence=evidence,
        evidence_endpoint="http://minio.storage:9000" if "://" in evidence else None,
        stack_file="stacks/Pulumi.test.yaml",
        image_pull_secrets=("registry",),
        runner=RunnerPods.model_validate(runner),
    )


class DryRuns:
    """Asks the API server what it would say to an object."""

    def __init__(self, kubeconfig: str) -> None:
        content = json.loads(kubeconfig)
        cluster = content["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._client = httpx.Client(
            base_url=cluster["server"],
            verify=ssl.create_default_context(cadata=authority),
            headers={"Authorization": f"Bearer {content['users'][0]['user']['token']}"},
            trust_env=False,
        )
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    def send(self, manifest: Manifest, *, for_real: bool = False) -> list[str]:
        """Warnings; for_real makes the object. Raises AssertionError with the server's refusal."""
        parameters = {"fieldManager": "contract", "force": "true", "fieldValidation": "Strict"}
        answer = self._client.patch(
            self._path(manifest),
            params=parameters if for_real else {**parameters, "dryRun": "All"},
            content=json.dumps(manifest),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        what = f"{manifest['kind']} {manifest['metadata']['name']}"
        assert answer.is_success, f"{what}: {answer.text}"
        return [f"{what}: {each}" for each in answer.headers.get_list("Warning")]

    def close(self) -> None:
        self._client.close()

    def _path(self, manifest: Manifest) -> str:
        version, metadata = manifest["apiVersion"], manifest["metadata"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if root not in self._kinds:
            found = self._client.get(root).raise_for_status().json()["resources"]
            self._kinds[root] = {
                each["kind"]: (each["name"], each["namespaced"])
                for each in found
                if "/" not in each["name"]
            }
        plural, namespaced = self._kinds[root][manifest["kind"]]
        assert namespaced == ("namespace" in metadata), f"{manifest['kind']} and its namespace"
        place = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        return f"{root}{place}/{plural}/{metadata['name']}"


@pytest.fixture
def server(cluster: KubernetesCluster) -> Iterator[DryRuns]:
    made = DryRuns(cluster.kubeconfig)
    yield made
    made.close()


@pytest.fixture
def place(server: DryRuns, namespace: str) -> str:
    """The test's namespace, with the standards that the platform sets."""
    server.send(namespace_object(namespace, STACK), for_real=True)
    return namespace


def accepted(server: DryRuns, manifests: Sequence[Manifest]) -> None:
    assert manifests
    warnings = [warning for each in manifests for warning in server.send(each)]
    assert not warnings


def placed(kind: Kind, content: Object, namespace: str) -> Manifest:
    """An object that we write ourselves, as the client sends it."""
    metadata = {**content["metadata"], "namespace": namespace}
    return {"apiVersion": kind.api_version, "kind": kind.name, **content, "metadata": metadata}


def network(namespace: str) -> Network:
    gateway = reference(NewGateway(), namespace)
    return Network(namespace=namespace, gateway=gateway, monitoring_namespace="monitoring")


@pytest.mark.parametrize("slot", SLOTS)
def test_a_slots_objects_are_accepted(server: DryRuns, place: str, slot: str) -> None:
    revision = revision_on_kubernetes(**SLOTS[slot])
    assert revision.kubernetes is not None
    found = slot_objects(
        revision,
        revision.kubernetes,
        L4,
        Replicas(count=2),
        network=network(place),
        runner_image=RUNNER_IMAGE,
        priority_class="serving",
        image_pull_secrets=("registry",),
    )

    accepted(server, [*found.before, found.workload, found.service, found.disruption_budget])


def test_the_service_of_an_existing_deployment_is_accepted(server: DryRuns, place: str) -> None:
    existing = ExistingServing(deployment="triton-a", pod_labels={"app": "triton-a"})

    accepted(server, [existing_service(revision_on_kubernetes(), existing, place)])


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_gateways_objects_are_accepted(server: DryRuns, place: str, gateway: str) -> None:
    accepted(server, gateway_objects(GATEWAYS[gateway], place))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_platforms_objects_are_accepted(server: DryRuns, place: str, elsewhere: bool) -> None:
    gateway = reference(NewGateway(proxy_namespace="default"), place)
    if elsewhere:
        gateway = GatewayReference(namespace="default", name="edge", proxy_namespace="default")
    objects = [
        namespace_object(place, STACK),
        priority_class(place),
        default_deny(place),
        *runner_access(place, gateway, STACK, annotations={"eks.amazonaws.com/role-arn": "arn"}),
        runner_policy(network(place)),
    ]

    accepted(server, objects)


@pytest.mark.parametrize("routes", ROUTES)
def test_a_services_routes_are_accepted(server: DryRuns, place: str, routes: str) -> None:
    gateway = reference(NewGateway(), place)
    objects = render(DesiredRoutes(ROUTES[routes], ("digits-3-cccccccc",)), gateway)

    accepted(server, [placed(kind, content, place) for kind, content in objects])


@pytest.mark.parametrize("evidence", ["s3://evidence/team-a", "/var/evidence"])
@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_accepted(server: DryRuns, place: str, job: str, evidence: str) -> None:
    content = job_object(JOBS[job], configuration(place, evidence))

    accepted(server, [placed(JOB, content, place)])


async def test_what_we_write_ourselves_is_refused_with_a_field_that_nobody_knows(
    cluster: KubernetesCluster, place: str
) -> None:
    """Without being asked the API server would drop it and warn."""
    client = connect(cluster.kubeconfig, None, place)
    wrong = job_object(JOBS["switch"], configuration(place))
    wrong["spec"]["backoffLimits"] = 1

    with pytest.raises(InvalidError, match=r'unknown field "spec\.backoffLimits"'):
        await client.create(JOB, wrong)
    await client.close()


def test_a_field_that_nobody_knows_is_refused_here(server: DryRuns, place: str) -> None:
    """The dry runs above mean something."""
    wrong = default_deny(place)
    wrong["spec"]["podSelectors"] = {}

    with pytest.raises(AssertionError, match="podSelectors"):
        server.send(wrong)
