from pathlib import Path

import pytest

from tests.unit.provider.stand_ins import EnvoyStandIn, free_ports, serve
from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.envoy.router import EnvoyFileRouter
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

DIGITS = ServiceRoutes("digits", ("digits",), {"digits-1-a": 100}, 30)
LETTERS = ServiceRoutes("letters", ("letters",), {"letters-1-b": 100}, 30)


class TwoWriters(EnvoyAdmin):
    """Between a change and Envoy's next look, another service changes its routes as well."""

    def __init__(self, port: int, files: DiscoveryFiles) -> None:
        super().__init__(port)
        self._files = files

    async def routes_version(self) -> str | None:
        if LETTERS not in self._files.services():
            self._files.put_service(LETTERS)
        return await super().routes_version()


async def test_a_change_of_another_service_meanwhile_is_no_failure(tmp_path: Path) -> None:
    files = DiscoveryFiles(tmp_path)
    files.write()
    (port,) = free_ports(1)
    stop = serve(port, EnvoyStandIn(files).answer)
    try:
        router = EnvoyFileRouter(files, TwoWriters(port, files))
        await router.apply(DIGITS)

        assert await router.observe("digits") == DIGITS
        assert await router.observe("letters") == LETTERS
    finally:
        stop()


async def test_without_envoy_nothing_is_changed(tmp_path: Path) -> None:
    files = DiscoveryFiles(tmp_path)
    files.write()
    router = EnvoyFileRouter(files, EnvoyAdmin(free_ports(1)[0]))

    with pytest.raises(RouterError, match="does not answer"):
        await router.apply(DIGITS)

    assert files.services() == []
