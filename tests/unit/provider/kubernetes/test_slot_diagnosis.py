from typing import Any

import pytest

from tests.unit.provider.kubernetes.objects import (
    REVISION,
    Object,
    deployment,
    endpoint_slice,
    event,
    pod,
    ready_pod,
    waiting,
)
from tidegate.provider.kubernetes.diagnosis.slots import (
    SlotObserved,
    SlotWanted,
    is_slot_ready,
    slot_trouble,
)

pytestmark = pytest.mark.unit

WANTED = SlotWanted("Deployment", REVISION, REVISION, 2)
BOTH = [ready_pod("a"), ready_pod("b")]


def observed(**changes: Any) -> SlotObserved:
    fields: dict[str, Any] = {
        "workload": deployment(),
        "makers": [],
        "pods": BOTH,
        "endpoint_slices": [endpoint_slice("10.0.0.1", "10.0.0.2")],
        "events": [],
    }
    return SlotObserved(**(fields | changes))


def sentence(**changes: Any) -> str:
    trouble = slot_trouble(observed(**changes), WANTED)
    assert trouble is not None
    assert trouble.is_lasting
    return trouble.sentence


def refused(message: str) -> Object:
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    return deployment(conditions=[condition])


def test_a_slot_is_ready_with_its_pods_and_an_endpoint() -> None:
    assert is_slot_ready(observed(), WANTED)
    assert not is_slot_ready(observed(pods=BOTH[:1]), WANTED)
    assert not is_slot_ready(observed(endpoint_slices=[]), WANTED)
    assert not is_slot_ready(observed(workload=None), WANTED)


def test_a_cold_slot_needs_no_pod() -> None:
    none = SlotWanted("Deployment", REVISION, REVISION, 0)

    assert is_slot_ready(observed(pods=[], endpoint_slices=[]), none)


def test_the_status_of_an_older_specification_does_not_count() -> None:
    changed = deployment()
    changed["metadata"]["generation"] = 2

    assert not is_slot_ready(observed(workload=changed), WANTED)


def test_a_workload_that_is_missing_is_named_with_what_brings_it_back() -> None:
    assert sentence(workload=None) == (
        f"there is no Deployment {REVISION}; somebody has deleted it: `pulumi up --refresh` makes "
        "it again"
    )
    own = slot_trouble(observed(workload=None), SlotWanted("Deployment", "triton-a", REVISION, 1))
    assert own is not None
    assert own.sentence == (
        "there is no Deployment triton-a; make it, or name another one under `kubernetes.existing`"
    )


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ('pods "x" is forbidden: exceeded quota: gpus, requested: 8, limited: 4', "have it raised"),
        ('admission webhook "deny.example.com" denied the request: no', "can say why"),
        ('failed calling webhook "deny.example.com": connection refused', "can say why"),
        (
            "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'owners' with binding 'owners' "
            "denied request: name an owner",
            "Whoever made that policy can say why",
        ),
        (
            'pods "x" is forbidden: error looking up service account inference/models: '
            'serviceaccount "models" not found',
            "Make that ServiceAccount, or name one that is there as serviceAccount",
        ),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": hostPath', "level"),
    ],
)
def test_pods_that_the_api_server_refuses_are_explained(message: str, advice: str) -> None:
    said = sentence(workload=refused(message), pods=[])

    assert said.startswith(f"Deployment {REVISION} cannot make its pods: {message}")
    assert advice in said


def test_a_refusal_is_found_in_the_events_of_what_makes_the_pods() -> None:
    maker = {"kind": "StatefulSet", "metadata": {"name": f"{REVISION}-0", "uid": "9"}}
    said = event(maker, "FailedCreate", "create Pod failed: exceeded quota: gpus")

    assert "exceeded quota: gpus" in sentence(pods=[], makers=[maker], events=[said])


def test_the_trouble_that_lasts_comes_first() -> None:
    image = waiting("ErrImagePull", "not found")
    pods = [
        pod("a", phase="Failed", reason="Evicted", message="low on memory"),
        pod("b", containerStatuses=[image]),
    ]

    assert "cannot be pulled" in sentence(pods=pods)


def test_a_service_that_selects_none_of_the_pods_is_named() -> None:
    said = sentence(endpoint_slices=[endpoint_slice("10.0.0.1", ready=False)])

    assert said.startswith(f"Service {REVISION} sends requests to none of the ready pods")


def test_starting_pods_are_no_trouble() -> None:
    starting = [pod("a", containerStatuses=[waiting("ContainerCreating")])]

    assert slot_trouble(observed(pods=starting, endpoint_slices=[]), WANTED) is None
