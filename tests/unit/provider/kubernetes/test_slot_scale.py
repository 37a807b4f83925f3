"""A slot gets its replicas before it is waited for, and loses them to nobody but their owner."""

import asyncio
from typing import Any

import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.provider.kubernetes.objects import (
    POD_LABELS,
    REVISION,
    deployment,
    endpoint_slice,
    ready_pod,
)
from tests.unit.provider.kubernetes.runners import until
from tests.unit.provider.stand_ins import Said
from tidegate.cluster.kinds import DEPLOYMENT, ENDPOINT_SLICE, LEADER_WORKER_SET, POD
from tidegate.provider.handler import Diff
from tidegate.provider.kubernetes import SlotReadinessHandler
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.slot_readiness import SlotReadinessInputs, SlotReadinessOutputs
from tidegate.provider.kubernetes.slot_scale import scales_of

pytestmark = pytest.mark.unit

OUTPUTS = SlotReadinessOutputs(condition="2 of 2 pods ready")


@pytest.fixture
def handler(access: ClusterAccess) -> SlotReadinessHandler:
    return SlotReadinessHandler(access)


def inputs(replicas: int, **changes: Any) -> SlotReadinessInputs:
    fields: dict[str, Any] = {
        "service": "digits",
        "revision": REVISION,
        "workload": "Deployment",
        "workload_name": REVISION,
        "is_scaled": True,
        "service_name": REVISION,
        "replicas": replicas,
        "timeout_seconds": 5,
    }
    return SlotReadinessInputs(**(fields | changes))


def put(api: ApiServer, replicas: int, pods: int) -> None:
    made = deployment(replicas)
    made["metadata"]["labels"] = {**POD_LABELS, "app.kubernetes.io/managed-by": "tidegate"}
    # Whatever is written, a controller has seen it.
    made["status"]["observedGeneration"] = 99
    api.put(DEPLOYMENT.plural, made)
    for number in range(pods):
        api.put(POD.plural, ready_pod(f"pod-{number}"))
    slices = endpoint_slice(*["10.0.0.1"] * pods)
    slices["metadata"]["labels"] = {"kubernetes.io/service-name": REVISION}
    api.put(ENDPOINT_SLICE.plural, slices)


def replicas(api: ApiServer) -> int:
    return int(api.get(DEPLOYMENT.plural, REVISION)["spec"]["replicas"])


async def test_a_cold_standby_gets_its_replicas_and_its_pods_are_waited_for(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    put(api, replicas=0, pods=0)
    said = Said()
    update = asyncio.create_task(
        handler.update(said.operation, REVISION, OUTPUTS, inputs(0), inputs(2))
    )
    await until(lambda: "0 of 2 pods ready" in said.status)
    assert replicas(api) == 2

    put(api, replicas=2, pods=2)

    assert await update == OUTPUTS


async def test_one_that_becomes_cold_keeps_its_pods_for_now(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    """It may have the traffic still."""
    put(api, replicas=2, pods=2)

    await handler.update(Said().operation, REVISION, OUTPUTS, inputs(2), inputs(0))

    assert replicas(api) == 2


async def test_fewer_replicas_are_given_at_once(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    put(api, replicas=3, pods=3)

    await handler.update(Said().operation, REVISION, OUTPUTS, inputs(3), inputs(2))

    assert replicas(api) == 2


async def test_replicas_that_were_taken_away_are_a_difference(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    put(api, replicas=0, pods=0)

    found = await handler.diff(REVISION, OUTPUTS, inputs(2), inputs(2))

    assert found.changed == ("replicas",)
    assert f"{REVISION} is scaled to 0 replicas; declared: 2" in found.notes


async def test_an_autoscaler_may_have_more(api: ApiServer, handler: SlotReadinessHandler) -> None:
    put(api, replicas=5, pods=5)

    assert await handler.diff(REVISION, OUTPUTS, inputs(2), inputs(2)) == Diff()


async def test_a_deployment_of_the_users_own_is_only_watched(
    api: ApiServer, handler: SlotReadinessHandler
) -> None:
    put(api, replicas=3, pods=3)
    own = inputs(2, is_scaled=False)

    await handler.create(Said().operation, own)
    put(api, replicas=1, pods=0)
    found = await handler.diff(REVISION, OUTPUTS, own, own)

    assert replicas(api) == 1
    assert found.changed == ()


async def test_workloads_of_several_nodes_are_scaled_as_well(
    api: ApiServer, access: ClusterAccess
) -> None:
    put(api, replicas=1, pods=0)
    group = {"metadata": {**deployment()["metadata"], "name": "group"}, "spec": {}}
    group["metadata"]["labels"] = {
        "app.kubernetes.io/managed-by": "tidegate",
        "tidegate.dev/service": "digits",
        "tidegate.dev/revision": "group",
    }
    api.put(LEADER_WORKER_SET.plural, group)

    both = await scales_of(access.cluster(), "digits")
    api.unknown_plurals = {LEADER_WORKER_SET.plural}
    one = await scales_of(access.cluster(), "digits")

    assert [(each.revision, each.replicas) for each in both] == [(REVISION, 1), ("group", 1)]
    assert [each.revision for each in one] == [REVISION]
