from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.provider.stand_ins import EnvoyStandIn, free_ports, serve
from tidegate.traffic.envoy.admin import EnvoyAdmin
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.envoy.router import EnvoyFileRouter
from tidegate.traffic.router import RouterError, RoutesChangedError
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


async def test_a_change_meant_for_other_routes_changes_nothing(tmp_path: Path) -> None:
    files = DiscoveryFiles(tmp_path)
    files.put_service(DIGITS)
    moved = replace(DIGITS, weights={"digits-2-b": 100})
    (port,) = free_ports(1)
    stop = serve(port, EnvoyStandIn(files).answer)
    try:
        router = EnvoyFileRouter(files, EnvoyAdmin(port))
        await router.apply(moved, replacing=DIGITS)
        with pytest.raises(RoutesChangedError, match="were changed meanwhile"):
            await router.apply(DIGITS, replacing=DIGITS)

        assert await router.observe("digits") == moved
    finally:
        stop()


async def test_what_envoy_refuses_is_taken_back_and_nothing_newer(tmp_path: Path) -> None:
    files = DiscoveryFiles(tmp_path)
    files.put_service(DIGITS)
    envoy = EnvoyStandIn(files)
    envoy.answer("/ready", {})
    envoy.accepts_routes = False
    newer = replace(DIGITS, weights={"digits-3-c": 100})

    class MovedMeanwhile(EnvoyAdmin):
        async def rejected_updates(self) -> int:
            refused = await super().rejected_updates()
            if refused:
                files.put_service(newer)
            return refused

    (port,) = free_ports(1)
    stop = serve(port, envoy.answer)
    try:
        for admin, left in ((EnvoyAdmin(port), DIGITS), (MovedMeanwhile(port), newer)):
            files.put_service(DIGITS)
            envoy.rejected_versions.clear()
            with pytest.raises(RouterError, match="refused"):
                await EnvoyFileRouter(files, admin).apply(replace(DIGITS, weights={"x": 100}))
            assert files.routes_of("digits") == left
    finally:
        stop()


async def test_routes_that_envoy_read_too_early_are_given_to_it_again(tmp_path: Path) -> None:
    files = DiscoveryFiles(tmp_path)
    files.put_service(DIGITS)
    envoy = EnvoyStandIn(files)
    envoy.accepts_routes = False

    class ClustersComeLater(EnvoyAdmin):
        async def rejected_updates(self) -> int:
            refused = await super().rejected_updates()
            envoy.accepts_routes = bool(refused)
            return refused

    (port,) = free_ports(1)
    stop = serve(port, envoy.answer)
    try:
        router = EnvoyFileRouter(files, ClustersComeLater(port))
        await router.settle()

        assert len(envoy.rejected_versions) == 1
        assert await router.observe("digits") == DIGITS
    finally:
        stop()
