"""The tests' cluster works: what other tests rely on, in small."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import ConfigMap, Pod
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.cluster.harness import leftovers
from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.harness.examples import (
    CRASHING,
    GATEWAY,
    HOOKED,
    HOST_NAME,
    IDENTITY,
    LISTENER_PORT,
    create,
    create_all,
    create_job,
    create_slot,
    wait_until_available,
)
from tests.cluster.harness.leftovers import NetworkName
from tests.cluster.harness.programs import STUB_IMAGE, TRITON_IMAGE
from tests.cluster.routed_service import ENVOYS_SECONDS
from tests.engine.harness.toolchain_environment import REPOSITORY
from tests.engine.harness.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

MODELS = "registry.test/models/digits@sha256:" + "1" * 64
READY_PATH = "/v2/models/digits/versions/1/ready"


NETWORK_OWNER = """
import subprocess, time
from tests.cluster.harness.network import ClusterNetwork
network = ClusterNetwork()
subprocess.Popen([*network.add_pod().prefix(), "sleep", "1000"])
print(network.host_address.split(".")[2], flush=True)
time.sleep(1000)
"""


@pytest.fixture
def timed(record_property: Callable[[str, object], None]) -> Callable[[str, float], None]:
    """Prints and records how long something took since a moment."""

    def record(what: str, since: float) -> None:
        seconds = time.monotonic() - since
        record_property(what, seconds)
        print(f"{what}: {seconds:.1f} s")

    return record


def test_a_deployment_on_pretended_nodes_becomes_available(
    api: Client, timed: Callable[[str, float], None]
) -> None:
    began = time.monotonic()
    create_slot(api, "h100", TRITON_IMAGE, replicas=4)
    wait_until_available(api)
    timed("four pretended pods", began)


def test_a_job_runs_with_its_files_and_its_identity(
    api: Client, namespace: str, timed: Callable[[str, float], None]
) -> None:
    began = time.monotonic()
    request = {"metadata": {"name": "request"}, "binaryData": {"golden.npz": "Z29sZGVu"}}
    create(api, ConfigMap.from_dict(request))
    create_job(api, ["python", "-c", IDENTITY])
    ended = wait_for("the job's end", lambda: terminated(api))
    timed("job", began)
    message = {"version": "v1.36.3", "golden": "golden", "namespace": namespace}
    assert (ended.exitCode, json.loads(ended.message)) == (0, message)
    wait_for("the job's success", lambda: succeeded(api))
    assert "".join(api.log(job_pod(api).metadata.name)) == "done\n"


def test_exit_code_and_last_words_of_a_failed_job(api: Client) -> None:
    create(api, ConfigMap.from_dict({"metadata": {"name": "request"}}))
    create_job(api, ["sh", "-c", "printf broken > /var/run/tidegate/termination.json; exit 3"])
    ended = wait_for("the job's end", lambda: terminated(api))
    assert (ended.exitCode, ended.reason, ended.message) == (3, "Error", "broken")


def test_an_evicted_job_has_failed_without_a_message(
    api: Client, cluster: KubernetesCluster, namespace: str
) -> None:
    create(api, ConfigMap.from_dict({"metadata": {"name": "request"}}))
    create_job(api, ["sleep", "1000"])
    wait_for("the job's pod", lambda: is_running(job_pod(api)))
    cluster.kubelet.evict(namespace, job_pod(api).metadata.name)
    pod = job_pod(api)
    assert (pod.status.phase, pod.status.reason) == ("Failed", "Evicted")


def test_pods_of_a_lost_node_end_and_are_not_ready(api: Client, cluster: KubernetesCluster) -> None:
    create_slot(api, "l4", STUB_IMAGE)
    wait_until_available(api)
    pod = only_pod(api)
    node, address = pod.spec.nodeName, pod.status.podIP
    cluster.nodes.lose(node)
    try:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{address}:8000/ready", timeout=1)
        wait_for("a pod elsewhere", lambda: any(is_elsewhere(each, node) for each in pods(api)))
    finally:
        cluster.nodes.recover(node)


def test_an_unknown_image_is_waited_for(api: Client) -> None:
    create_slot(api, "l4", "registry.test/nothing:1")

    def reason() -> str:
        statuses = only_pod(api).status.containerStatuses or []
        return str(statuses[0].state.waiting.reason) if statuses else ""

    wait_for("the back-off", lambda: reason() == "ImagePullBackOff")


def test_the_log_of_a_container_that_crashes_again_and_again(api: Client) -> None:
    create_all(api, CRASHING)

    def state() -> Any:
        statuses = only_pod(api).status.containerStatuses or []
        return statuses[0] if statuses else None

    wait_for("the restart", lambda: (found := state()) and found.restartCount >= 1 and found)
    backing_off = wait_for("the back-off", lambda: (found := state()).state.waiting and found)
    assert backing_off.state.waiting.reason == "CrashLoopBackOff"
    assert backing_off.lastState.terminated.message == "no model\n"
    assert "".join(api.log("crashing")) == "no model\n"


def test_a_pod_with_init_container_sidecar_and_hooks_ends_in_order(
    api: Client, cluster: KubernetesCluster, namespace: str
) -> None:
    create_all(api, HOOKED)
    wait_for("the pod", lambda: is_ready(only_pod(api)))
    shown = cluster.kubelet.execute(namespace, "hooked", ["cat", "/work/model", "/secret/key"])
    assert shown.stdout == "model\nhidden"
    log = cluster.kubelet.log_file(namespace, "hooked")
    api.delete(Pod, "hooked")
    wait_for("the pod's end", lambda: not pods(api))
    assert log.read_text() == "left the load balancer\nterminated\n"


def test_nothing_is_left_of_a_test_process_that_was_killed() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", NETWORK_OWNER], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    index = int(owner.stdout.readline())
    network = NetworkName(index, owner.pid)
    wait_for("its process", lambda: leftovers.processes_in(network.namespaces()))
    owner.kill()
    owner.communicate()
    wait_for("the removal", lambda: not network.namespaces())


def test_a_service_account_has_no_rights_of_its_own(
    api: Client, cluster: KubernetesCluster, namespace: str
) -> None:
    wait_for("the default account", lambda: has_default_account(cluster, namespace))
    content = json.loads(cluster.kubeconfig_for(namespace, "default"))
    config = KubeConfig.from_dict(content)
    with pytest.raises(ApiError, match="forbidden"):
        list(Client(config=config, trust_env=False).list(Pod))


def test_the_cluster_survives_a_restart_of_its_api_server(
    api: Client, cluster: KubernetesCluster
) -> None:
    create_slot(api, "l4", STUB_IMAGE)
    wait_until_available(api)
    cluster.control_plane.restart_apiserver()
    api.delete(Deployment, "digits")
    wait_for("the pod's end", lambda: not pods(api), 60)


def test_requests_reach_a_real_triton_through_a_real_envoy(
    api: Client,
    cluster: KubernetesCluster,
    namespace: str,
    gateway: EnvoyGateway,
    timed: Callable[[str, float], None],
) -> None:
    cluster.images.add_artifact(MODELS, REPOSITORY / "serving" / "models" / "digits" / "1")
    began = time.monotonic()
    create_slot(api, "l4", TRITON_IMAGE, models=MODELS)
    wait_until_available(api)
    timed("a real Triton", began)
    address = only_pod(api).status.podIP
    assert httpx.get(f"http://{address}:8000{READY_PATH}").is_success

    began = time.monotonic()
    create_all(api, GATEWAY)
    envoys = wait_for("two Envoys", lambda: two(gateway.envoys(namespace, "edge")), ENVOYS_SECONDS)
    for envoy in envoys:
        wait_for("the HTTP route", partial(answers_http, envoy))
        wait_for("the gRPC route", partial(answers_grpc, envoy))
    timed("two real Envoys", began)
    for envoy in envoys:
        statistics = httpx.get(f"http://{envoy}:19001/stats/prometheus").text
        assert f"service/{namespace}/digits/8000" in statistics


def pods(api: Client) -> list[Any]:
    return list(api.list(Pod))


def only_pod(api: Client) -> Any:
    return wait_for("the pod", lambda: pods(api))[0]


def job_pod(api: Client) -> Any:
    return only_pod(api)


def terminated(api: Client) -> Any:
    statuses = job_pod(api).status.containerStatuses or []
    return statuses[0].state.terminated if statuses else None


def succeeded(api: Client) -> bool:
    status = api.get(Job, "job").status
    return status is not None and status.succeeded == 1


def is_running(pod: Any) -> bool:
    return bool(pod.status.phase == "Running")


def is_ready(pod: Any) -> bool:
    conditions = pod.status.conditions or []
    return any(each.type == "Ready" and each.status == "True" for each in conditions)


def is_elsewhere(pod: Any, node: str) -> bool:
    return bool(is_ready(pod) and pod.spec.nodeName != node)


def has_default_account(cluster: KubernetesCluster, namespace: str) -> bool:
    try:
        cluster.kubeconfig_for(namespace, "default")
    except ApiError:
        return False
    return True


def two(found: list[str]) -> list[str] | None:
    return found if len(found) == 2 else None


def answers_http(envoy: str) -> bool:
    url = f"http://{envoy}:{LISTENER_PORT}{READY_PATH}"
    try:
        return httpx.get(url, headers={"host": HOST_NAME}).is_success
    except httpx.TransportError:
        return False


def answers_grpc(envoy: str) -> bool:
    options = [("grpc.default_authority", HOST_NAME), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"{envoy}:{LISTENER_PORT}", options) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        try:
            return bool(stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=2).ready)
        except grpc.RpcError:
            return False
