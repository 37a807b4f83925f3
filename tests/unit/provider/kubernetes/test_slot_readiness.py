import asyncio
from typing import Any

import pytest

from tests.unit.cluster.api_server import ApiServer, status
from tests.unit.provider.kubernetes.objects import (
    POD_LABELS,
    REVISION,
    Object,
    deployment,
    endpoint_slice,
    event,
    ready_pod,
    unscheduled_pod,
    waiting,
)
from tests.unit.provider.kubernetes.objects import pod as starting_pod
from tests.unit.provider.kubernetes.runners import until
from tests.unit.provider.stand_ins import Said
from tidegate.cluster.kinds import DEPLOYMENT, ENDPOINT_SLICE, POD, REPLICA_SET, Kind
from tidegate.provider.errors import CancelledOperation, ProviderError
from tidegate.provider.handler import Diff
from tidegate.provider.kubernetes import SlotReadinessHandler, slot_readiness
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.slot_readiness import (
    SlotReadinessInputs,
    SlotReadinessOutputs,
)
from tidegate.provider.kubernetes.slot_retry import RETRIED_ANNOTATION

pytestmark = pytest.mark.unit

READY = SlotReadinessOutputs(condition="2 of 2 pods ready")


def inputs(**changes: Any) -> SlotReadinessInputs:
    fields: dict[str, Any] = {
        "service": "digits",
        "revision": REVISION,
        "workload": "Deployment",
        "workload_name": REVISION,
        "service_name": REVISION,
        "replicas": 2,
        "timeout_seconds": 5,
        "accelerator_pool": "l4",
        "pools": [{"name": "l4", "nodeLabels": {"pool": "l4"}, "allocatable": {}}],
    }
    return SlotReadinessInputs(**(fields | changes))


@pytest.fixture
def handler(access: ClusterAccess) -> SlotReadinessHandler:
    return SlotReadinessHandler(access)


def put(api: ApiServer, *pods: Object) -> None:
    """A Deployment of two replicas with these pods."""
    for name in api.names(POD.plural):
        del api.objects[POD.plural, "team-a", name]
    made = deployment()
    api.put(DEPLOYMENT.plural, made)
    for each in pods:
        assert each["metadata"]["labels"] == POD_LABELS
        api.put(POD.plural, each)
    slices = endpoint_slice(*["10.0.0.1"] * sum(each == ready_pod("a") for each in pods))
    slices["metadata"]["labels"] = {"kubernetes.io/service-name": REVISION}
    api.put(ENDPOINT_SLICE.plural, slices)


def replica_set() -> Object:
    return {"metadata": {"name": f"{REVISION}-7c9d", "labels": POD_LABELS}}


def annotations(api: ApiServer, kind: Kind) -> Object:
    (name,) = api.names(kind.plural)
    return dict(api.get(kind.plural, name)["metadata"].get("annotations") or {})


async def refused(handler: SlotReadinessHandler, said: Said | None = None, **changes: Any) -> str:
    with pytest.raises(ProviderError) as raised:
        await handler.create((said or Said()).operation, inputs(**changes))
    return str(raised.value)


async def test_it_exists_once_all_pods_are_ready(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    put(api, ready_pod("a"), starting_pod("b"))
    said = Said()
    created = asyncio.create_task(handler.create(said.operation, inputs()))
    await until(lambda: "1 of 2 pods ready" in said.status)

    put(api, ready_pod("a"), ready_pod("b"))

    assert (await created).outputs == READY
    assert await handler.read(REVISION, inputs()) == READY
    assert await handler.diff(REVISION, READY, inputs(), inputs()) == Diff()


async def test_a_slot_that_is_not_ready_in_time_says_why_and_how_long_it_was_waited_for(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    put(api, ready_pod("a"), unscheduled_pod("0/6 nodes are available: 6 Insufficient cpu."))

    said = await refused(handler, timeout_seconds=0.1)

    assert said.startswith(f"{REVISION} is not ready within 0.1 s (1 of 2 pods ready). Pod ")
    assert "cannot be scheduled: 0/6 nodes are available: 6 Insufficient cpu" in said
    assert "An empty node of its pool l4 could take it" in said


async def test_what_time_does_not_mend_is_not_waited_for_until_the_end(
    api: ApiServer, handler: SlotReadinessHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_readiness, "LASTING_SECONDS", 0.05)
    hopeless = [waiting("InvalidImageName", "no such")]
    put(api, starting_pod("a", containerStatuses=hopeless))
    update = asyncio.create_task(refused(handler, timeout_seconds=60))
    await until(lambda: not api.names(POD.plural))

    put(api, starting_pod("b", containerStatuses=hopeless))

    assert f"{REVISION} is not ready (0 of 2 pods ready). Container triton of Pod b" in await update


async def test_what_an_earlier_update_left_failing_gets_a_new_attempt_at_once(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    """Kubernetes' own next attempt may be minutes away by then, at pods as at an image."""
    put(
        api,
        ready_pod("a"),
        starting_pod("b", containerStatuses=[waiting("ImagePullBackOff", "not found")]),
    )
    api.put(REPLICA_SET.plural, replica_set())
    created = asyncio.create_task(handler.create(Said().operation, inputs(timeout_seconds=60)))
    await until(lambda: RETRIED_ANNOTATION in annotations(api, DEPLOYMENT))

    assert RETRIED_ANNOTATION in annotations(api, REPLICA_SET)
    assert api.names(POD.plural) == ["a"]
    put(api, ready_pod("a"), ready_pod("c"))
    assert (await created).outputs == READY


async def test_a_slot_that_only_starts_is_left_to_itself(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    put(api, ready_pod("a"), starting_pod("b"))

    await refused(handler, timeout_seconds=0.05)

    assert api.names(POD.plural) == ["a", "b"]
    assert not annotations(api, DEPLOYMENT)


async def test_pods_that_only_start_are_no_fault(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    put(api, starting_pod("a"))

    assert "the pods are still starting" in await refused(handler, timeout_seconds=0.05)


async def test_a_slot_that_lost_pods_is_told_and_is_no_difference(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    put(api, ready_pod("a"), unscheduled_pod("0/6 nodes are available."))

    found = await handler.diff(REVISION, READY, inputs(), inputs(timeout_seconds=9))

    assert found.changed == ()
    assert "has 1 of 2 pods ready: Pod" in found.notes[0]


async def test_a_server_whose_node_is_lost_is_told(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    lost = starting_pod("b", phase="Running")
    put(api, ready_pod("a"), lost)
    api.put("events", event(api.get(POD.plural, "b"), "NodeNotReady", "Node is not ready"))

    found = await handler.diff(REVISION, READY, inputs(), inputs())

    assert found.changed == ()
    assert found.notes == (
        f"{REVISION} has 1 of 2 pods ready: Pod b is on a node that is not ready: "
        "Node is not ready",
    )
    assert "is on a node that is not ready" in await refused(handler, timeout_seconds=0.05)


async def test_other_replicas_are_waited_for_again(handler: SlotReadinessHandler) -> None:
    found = await handler.diff(REVISION, READY, inputs(), inputs(replicas=3))

    assert found == Diff(changed=("replicas",))


async def test_a_workload_that_is_gone_is_gone(handler: SlotReadinessHandler) -> None:
    assert await handler.read(REVISION, inputs()) is None


async def test_cancelling_ends_the_wait(api: ApiServer, handler: SlotReadinessHandler) -> None:
    put(api, starting_pod("a"))
    said = Said()
    waiting_for_it = asyncio.create_task(handler.create(said.operation, inputs()))
    await until(lambda: said.status)

    said.operation.cancelled.set()

    with pytest.raises(CancelledOperation):
        await waiting_for_it


async def test_a_permission_that_is_missing_names_the_object(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    api.refusals = [(403, status(403, "Forbidden", 'cannot get resource "deployments"'))]

    said = await refused(handler)

    assert f"Deployment team-a/{REVISION} cannot be read" in said
    assert 'cannot get resource "deployments"' in said


async def test_a_preview_tells_a_kind_that_is_not_installed(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    api.unknown_plurals = {"leaderworkersets"}

    (note,) = await handler.foresee(inputs(workload="LeaderWorkerSet"))

    assert await handler.foresee(inputs()) == ()

    assert "does not know LeaderWorkerSet (leaderworkerset.x-k8s.io/v1)" in note
