"""Envoys are asked at their pods' addresses, of either family."""

import httpx2
import pytest

from tidegate.traffic.gateway_api.envoys import Listener
from tidegate.traffic.gateway_api.probes import Probes, in_url
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

ROUTES = ServiceRoutes("digits", ("digits",), {"digits-1-a": 100}, 30)


@pytest.mark.parametrize("address", ["10.0.0.7", "fd00:10:244::7"])
async def test_an_envoy_is_asked_at_its_own_address(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[httpx2.URL] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url)
        return httpx2.Response(404)

    probes = Probes()
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    monkeypatch.setattr(probes, "_http", client)
    listener = Listener(port=10080, is_encrypted=False, hostname=None)

    await probes.http(address, listener, ROUTES)
    await probes.close()

    assert [(each.host, each.port) for each in asked] == [(address, 10080)]


def test_only_an_address_of_ipv6_is_bracketed() -> None:
    assert in_url("fd00::1") == "[fd00::1]"
    assert in_url("10.0.0.7") == "10.0.0.7"
