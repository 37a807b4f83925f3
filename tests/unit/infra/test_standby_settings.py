import json

import pytest

from declarations import declare
from settings import SettingsError, load_settings
from tests.unit.infra.test_services_on_a_cluster import FILE, ROOT, declared, digits, findings

pytestmark = pytest.mark.unit


def test_a_standby_is_warm_and_makes_no_room_unless_that_is_asked_for() -> None:
    (plain,) = declared(digits(standby="digits@2"))
    (asked,) = declared(digits(standby="digits@2", standbyMode="cold", makeRoom=True))

    assert (plain.settings.standby_mode, plain.settings.make_room) == ("warm", False)
    assert (asked.settings.standby_mode, asked.settings.make_room) == ("cold", True)
    assert asked.live.id == plain.live.id, "no part of the revision"


@pytest.mark.parametrize(
    ("changes", "key"), [({"standbyMode": "cold"}, "standbyMode"), ({"makeRoom": True}, "makeRoom")]
)
def test_where_nothing_is_scaled_the_key_is_refused(changes: dict[str, object], key: str) -> None:
    own = {"digits@1": {"deployment": "triton-a", "podLabels": {"app": "a"}}}
    services = {"digits": {"release": "digits@1", "kubernetes": {"existing": own}, **changes}}

    (finding,) = findings(services)

    assert finding.startswith(f"{FILE}: tidegate:services.digits: {key}: ")
    assert "Deployment triton-a, which is yours" in finding


def test_one_machine_scales_nothing() -> None:
    services = {"digits": {"release": "digits@1", "standbyMode": "cold"}}
    configuration = {
        "tidegate:platform": json.dumps({"local": {}}),
        "tidegate:services": json.dumps(services),
    }

    with pytest.raises(SettingsError, match="the platform is local"):
        declare(load_settings(configuration, FILE), ROOT, "local", FILE)
