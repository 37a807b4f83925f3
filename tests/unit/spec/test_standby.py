import pytest

from tests.unit.components.examples import revision, revision_on_kubernetes
from tidegate.spec.errors import SpecError
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import ExistingServing
from tidegate.spec.standby import StandbyMode, check_standby

pytestmark = pytest.mark.unit

SERVED = revision_on_kubernetes("1")
OWN = Revision(
    platform="kubernetes",
    release=SERVED.release,
    probes=SERVED.probes,
    existing=ExistingServing(deployment="triton-a", pod_labels={"app": "a"}),
)


def test_slots_of_a_cluster_can_be_scaled_to_zero() -> None:
    check_standby("cold", True, [SERVED, revision_on_kubernetes("2")])


@pytest.mark.parametrize("served", [OWN, revision("1")], ids=["own", "local"])
def test_a_warm_standby_that_makes_no_room_works_everywhere(served: Revision) -> None:
    check_standby("warm", False, [served])


@pytest.mark.parametrize(
    ("mode", "make_room", "field", "instead"),
    [
        ("cold", False, "standbyMode", "standbyMode: warm"),
        ("warm", True, "makeRoom", "makeRoom: false"),
    ],
)
@pytest.mark.parametrize(
    ("served", "why"),
    [
        (OWN, "digits@1 runs in Deployment triton-a, which is yours"),
        (revision("1"), "the platform is local"),
    ],
    ids=["own", "local"],
)
def test_what_tidegate_does_not_scale_is_refused(
    mode: StandbyMode, make_room: bool, field: str, instead: str, served: Revision, why: str
) -> None:
    with pytest.raises(SpecError) as raised:
        check_standby(mode, make_room, [SERVED, served])

    assert raised.value.field == field
    assert why in raised.value.why
    assert raised.value.instead.startswith(instead)
