import pytest

from tests.unit.provider.kubernetes.objects import (
    container,
    event,
    pod,
    ready_pod,
    unscheduled_pod,
    waiting,
)
from tidegate.provider.kubernetes.diagnosis.pods import pod_trouble
from tidegate.provider.kubernetes.diagnosis.pools import DeclaredPool, Pools
from tidegate.provider.kubernetes.diagnosis.trouble import LogSource, Trouble

pytestmark = pytest.mark.unit

NO_GPU = "0/6 nodes are available: 4 Insufficient nvidia.com/gpu, 2 node(s) had untolerated taint."
L4 = DeclaredPool(name="l4", allocatable={"nvidia.com/gpu": "4", "memory": "180Gi"})
H100 = DeclaredPool(name="h100", allocatable={"nvidia.com/gpu": "8", "memory": "2Ti"})


def found(trouble: Trouble | None) -> Trouble:
    assert trouble is not None
    return trouble


def test_nothing_is_said_of_a_pod_that_is_ready_or_only_starting() -> None:
    assert pod_trouble(ready_pod(), []) is None
    assert pod_trouble(pod(containerStatuses=[waiting("ContainerCreating")]), []) is None


def test_an_unschedulable_pod_names_the_schedulers_reason() -> None:
    trouble = found(pod_trouble(unscheduled_pod(NO_GPU), []))

    assert "cannot be scheduled: 0/6 nodes are available: 4 Insufficient" in trouble.sentence
    assert not trouble.is_lasting, "an autoscaler may add a node"


@pytest.mark.parametrize(
    ("gpus", "advice"),
    [
        (4, "An empty node of its pool l4 could take it: raise the pool's size"),
        (4, "nodes of h100, declared as well, are large enough too"),
        (8, "No node of its pool l4 is large enough (nvidia.com/gpu 8, a node has 4); of the"),
        (8, "of the declared pools h100 could take it"),
        (16, "of the declared pools none could take it"),
    ],
)
def test_it_says_which_declared_pool_could_fit(gpus: int, advice: str) -> None:
    pools = Pools("l4", [L4, H100])

    assert advice in found(pod_trouble(unscheduled_pod(NO_GPU, gpus), [], pools)).sentence


def test_what_a_pool_does_not_declare_is_said_to_be_undeclared() -> None:
    """Its nodes may have it."""
    pod = unscheduled_pod(NO_GPU, 1)
    pod["spec"]["containers"][0]["resources"]["requests"]["rdma/shared_a"] = "1"

    sentence = found(pod_trouble(pod, [], Pools("l4", [L4]))).sentence

    assert "(rdma/shared_a 1, of which the pool declares none)" in sentence


def test_requests_of_all_containers_count_together() -> None:
    big = unscheduled_pod(NO_GPU, 3)
    big["spec"]["containers"] *= 2

    sentence = found(pod_trouble(big, [], Pools("l4", [L4, H100]))).sentence

    assert "nvidia.com/gpu 6, a node has 4" in sentence


def test_a_volume_that_is_not_bound_names_the_claim_and_its_event() -> None:
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "models", "uid": "1"}}
    held = unscheduled_pod(
        "0/6 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    )
    held["spec"]["volumes"] = [{"name": "m", "persistentVolumeClaim": {"claimName": "models"}}]
    why = event(claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')

    sentence = found(pod_trouble(held, [why])).sentence

    assert "name another one as model.persistentVolumeClaim" in sentence
    assert 'PersistentVolumeClaim models: storageclass.storage.k8s.io "fast" not found' in sentence


def test_a_claim_that_is_missing_is_named() -> None:
    held = unscheduled_pod('0/6 nodes are available: persistentvolumeclaim "models" not found.')
    held["spec"]["volumes"] = [{"name": "m", "persistentVolumeClaim": {"claimName": "models"}}]

    sentence = found(pod_trouble(held, [])).sentence

    assert "PersistentVolumeClaim models: 0/6 nodes are available: persistentvol" in sentence


def test_an_image_that_cannot_be_pulled_is_named_with_the_registrys_answer() -> None:
    held = pod(containerStatuses=[waiting("ImagePullBackOff", 'Back-off pulling image "…"')])
    said = event(held, "Failed", 'Failed to pull image "…": manifest unknown')

    trouble = found(pod_trouble(held, [said]))

    assert "its image nvcr.io/nvidia/tritonserver:25.10-py3 cannot be pulled" in trouble.sentence
    assert "manifest unknown" in trouble.sentence
    assert trouble.is_lasting


def test_a_crash_loop_tells_how_often_why_and_where_to_read() -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    status = waiting("CrashLoopBackOff", restartCount=4, lastState=ended)

    trouble = found(pod_trouble(pod(containerStatuses=[status]), []))

    assert "Container triton of Pod" in trouble.sentence
    assert "has failed 4 times (OOMKilled, exit code 137)" in trouble.sentence
    assert trouble.is_lasting
    assert trouble.logs == LogSource("digits-2-4f1c9a7e-7c9d-abcde", "triton")


def test_one_crash_may_be_an_accident() -> None:
    status = container({"terminated": {"exitCode": 1, "reason": "Error"}})

    trouble = found(pod_trouble(pod(containerStatuses=[status]), []))

    assert "has failed once (exit code 1)" in trouble.sentence
    assert not trouble.is_lasting


def test_a_failed_init_container_says_what_it_left_behind() -> None:
    ended = {"terminated": {"exitCode": 3, "reason": "Error", "message": "digest differs\n"}}
    init = waiting("CrashLoopBackOff", name="fetch", restartCount=3, lastState=ended)

    trouble = found(pod_trouble(pod(initContainerStatuses=[init]), []))

    assert "Init container fetch of Pod" in trouble.sentence
    assert "exit code 3: digest differs" in trouble.sentence


def test_a_configuration_that_is_missing_is_named() -> None:
    held = pod(containerStatuses=[waiting("CreateContainerConfigError", 'secret "key" not found')])

    assert 'cannot start: secret "key" not found' in found(pod_trouble(held, [])).sentence


def test_an_evicted_pod_says_why() -> None:
    gone = pod(phase="Failed", reason="Evicted", message="The node was low on memory.")

    assert (
        "has failed (Evicted): The node was low on memory" in found(pod_trouble(gone, [])).sentence
    )


def test_a_pod_that_runs_and_is_not_ready_names_the_probe() -> None:
    running = pod(phase="Running", containerStatuses=[container({"running": {}})])
    events = [
        event(running, "Unhealthy", "Startup probe failed: old", "2026-11-23T01:00:00Z"),
        event(running, "Unhealthy", "Startup probe failed: HTTP 400", "2026-11-23T01:00:09Z"),
    ]

    sentence = found(pod_trouble(running, list(reversed(events)))).sentence

    assert sentence.endswith("is not ready: Startup probe failed: HTTP 400")


def test_events_of_another_pod_of_that_name_do_not_count() -> None:
    running = pod(containerStatuses=[waiting("ContainerCreating")])
    old = event(running, "FailedMount", "no such volume")
    old["involvedObject"]["uid"] = "of a pod before"

    assert pod_trouble(running, [old]) is None
