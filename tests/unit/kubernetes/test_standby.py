"""What a cold standby and room for a new slot are in the engine's graph."""

from typing import Any

import pytest

from tests.unit.kubernetes.test_platform import (
    DEPLOYMENT,
    GATE,
    LIVE,
    READINESS,
    STANDBY,
    SWITCH,
    made,
    refusal,
)
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import ExistingServing, Replicas

pytestmark = pytest.mark.unit

COLD, ROOM = "tidegate:index:ColdStandby", "tidegate:index:SlotRoom"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
TWO: dict[str, Any] = {"replicas": Replicas(count=2)}


def test_a_warm_standby_has_as_many_pods_as_the_live_revision() -> None:
    recording = made(**TWO)

    for revision in (LIVE, STANDBY):
        assert recording.only(DEPLOYMENT, revision.id).inputs["spec"]["replicas"] == 2
        assert recording.only(READINESS, revision.id).inputs["replicas"] == 2
    assert not {COLD, ROOM} & {each.type for each in recording.resources}


def test_a_cold_standby_begins_without_pods_and_ends_them_after_the_switch() -> None:
    recording = made(standby_mode="cold", **TWO)
    cold = recording.only(COLD)

    assert (cold.name, cold.inputs["revision"]) == ("digits", STANDBY.id)
    assert recording.only(SWITCH).urn in cold.dependencies
    assert recording.only(DEPLOYMENT, STANDBY.id).inputs["spec"]["replicas"] == 0
    assert recording.only(READINESS, STANDBY.id).inputs["replicas"] == 0
    assert recording.only(DEPLOYMENT, LIVE.id).inputs["spec"]["replicas"] == 2


def test_the_budget_for_evictions_is_the_same_with_and_without_pods() -> None:
    """It is in force the moment that the standby has pods again."""
    warm, cold = (
        made(standby_mode=mode, **TWO).only(BUDGET, STANDBY.id).inputs["spec"]["minAvailable"]
        for mode in ("warm", "cold")
    )

    assert warm == cold == 1


def test_what_is_cold_is_nothing_but_a_standby() -> None:
    recording = made(standby=None, standby_mode="cold")

    assert COLD not in {each.type for each in recording.resources}
    assert recording.only(READINESS, LIVE.id).inputs["replicas"] == 1


def test_room_is_made_before_any_pod_starts() -> None:
    recording = made(make_room=True)
    room = recording.only(ROOM)

    assert list(room.inputs["revisions"]) == [LIVE.id, STANDBY.id]
    for revision in (LIVE, STANDBY):
        assert room.urn in recording.only(DEPLOYMENT, revision.id).dependencies
    assert not room.dependencies & {recording.only(GATE, LIVE.id).urn}


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"standby_mode": "cold"}, "standbyMode"), ({"make_room": True}, "makeRoom")],
)
def test_a_deployment_of_the_users_own_is_not_scaled(changes: dict[str, Any], field: str) -> None:
    own = Revision(
        platform="kubernetes",
        release=STANDBY.release,
        probes=STANDBY.probes,
        existing=ExistingServing(deployment="triton-a", pod_labels={"app": "a"}),
    )

    assert refusal(standby=own, **changes).field == field


def test_readiness_scales_what_tidegate_made_and_nothing_else() -> None:
    own = Revision(
        platform="kubernetes",
        release=LIVE.release,
        probes=LIVE.probes,
        existing=ExistingServing(deployment="triton-a", pod_labels={"app": "a"}),
    )

    assert made().only(READINESS, LIVE.id).inputs["isScaled"] is True
    assert made(live=own).only(READINESS, own.id).inputs["isScaled"] is False
