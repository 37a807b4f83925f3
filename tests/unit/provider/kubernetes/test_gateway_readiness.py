from typing import Any

import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.provider.stand_ins import Said
from tidegate.cluster.kinds import GATEWAY, SECRET
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import Diff
from tidegate.provider.kubernetes import GatewayReadinessHandler, gateway_readiness
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.gateway_readiness import (
    GatewayReadinessInputs,
    GatewayReadinessOutputs,
)
from tidegate.traffic.gateway_api.listeners import WANTED

pytestmark = pytest.mark.unit

READY = GatewayReadinessOutputs(condition="1 listener served")
ID = "team-a/tidegate"


def inputs(*secrets: str) -> GatewayReadinessInputs:
    return GatewayReadinessInputs(
        namespace="team-a", name="tidegate", listeners={"https": list(secrets)}
    )


def gateway(**statuses: str) -> dict[str, Any]:
    conditions = [
        {
            "type": each,
            "status": statuses.get(each, "True"),
            "message": "no Secret",
            "observedGeneration": 1,
        }
        for each in WANTED
    ]
    return {
        "metadata": {"name": "tidegate", "namespace": "team-a"},
        "spec": {
            "listeners": [{"name": "https", "tls": {"certificateRefs": [{"name": "edge-tls"}]}}]
        },
        "status": {"listeners": [{"name": "https", "conditions": conditions}]},
    }


@pytest.fixture
def handler(access: ClusterAccess, monkeypatch: pytest.MonkeyPatch) -> GatewayReadinessHandler:
    monkeypatch.setattr(gateway_readiness, "POLL_SECONDS", 0.01)
    return GatewayReadinessHandler(access)


async def test_it_exists_once_every_listener_is_served(
    api: ApiServer, handler: GatewayReadinessHandler
) -> None:
    api.put(GATEWAY.plural, gateway())

    created = await handler.create(Said().operation, inputs())

    assert (created.id, created.outputs) == (ID, READY)
    assert await handler.read(ID, inputs()) == READY
    assert await handler.diff(ID, READY, inputs(), inputs()) == Diff()


async def test_a_certificate_that_is_missing_is_told_after_a_while(
    api: ApiServer, handler: GatewayReadinessHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_readiness, "LASTING_SECONDS", 0.05)
    api.put(GATEWAY.plural, gateway(ResolvedRefs="False", Programmed="False"))

    with pytest.raises(ProviderError) as raised:
        await handler.create(Said().operation, inputs("edge-tls"))

    assert str(raised.value).startswith("Listener https of Gateway team-a/tidegate has no valid")
    assert "Secret team-a/edge-tls: no Secret" in str(raised.value)


async def test_a_controller_that_says_nothing_is_told_after_a_while(
    api: ApiServer, handler: GatewayReadinessHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_readiness, "SILENCE_SECONDS", 0.05)
    api.put(GATEWAY.plural, {**gateway(), "status": {}})

    with pytest.raises(ProviderError, match="check that Envoy Gateway runs"):
        await handler.create(Said().operation, inputs())


async def test_another_certificate_is_waited_for_again(
    api: ApiServer, handler: GatewayReadinessHandler
) -> None:
    api.put(GATEWAY.plural, gateway())
    api.put(SECRET.plural, {"metadata": {"name": "new", "namespace": "team-a"}})

    found = await handler.diff(ID, READY, inputs("old"), inputs("new"))

    assert found == Diff(changed=("listeners",))
    assert await handler.foresee(inputs("new")) == []


async def test_a_certificate_that_is_not_there_takes_no_listener_from_users(
    api: ApiServer, handler: GatewayReadinessHandler
) -> None:
    api.put(GATEWAY.plural, gateway())

    with pytest.raises(ProviderError) as raised:
        await handler.diff(ID, READY, inputs("old"), inputs("security/new"))

    (note,) = await handler.foresee(inputs("security/new"))
    assert note.endswith("without Secret security/new, which is not there")
    assert str(raised.value) == f"{note}, and users would lose it: make it first"


async def test_a_listener_that_has_broken_since_is_told_and_no_difference(
    api: ApiServer, handler: GatewayReadinessHandler
) -> None:
    api.put(GATEWAY.plural, gateway(ResolvedRefs="False"))

    found = await handler.diff(ID, READY, inputs(), inputs())

    assert found.changed == ()
    assert "Secret team-a/edge-tls" in found.notes[0]


async def test_a_gateway_that_is_gone_is_gone(handler: GatewayReadinessHandler) -> None:
    assert await handler.read(ID, inputs()) is None
