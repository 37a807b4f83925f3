import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from tidegate.files import write_json
from tidegate.spec.traffic import Affinity
from tidegate.traffic.envoy import discovery
from tidegate.traffic.envoy.clusters import UpstreamServer
from tidegate.traffic.envoy.discovery import DiscoveryFiles
from tidegate.traffic.router import RoutesChangedError
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

ROUTES = ServiceRoutes("digits", ("digits",), {"digits-1-a": 100, "digits-2-b": 0}, 30)


@pytest.fixture
def files(tmp_path: Path) -> DiscoveryFiles:
    return DiscoveryFiles(tmp_path / "gateway")


def server(revision: str = "digits-1-a") -> UpstreamServer:
    return UpstreamServer("digits", revision, "127.0.0.1", 18001, 18002, "/ready", 0.5)


def cluster_names(files: DiscoveryFiles) -> list[str]:
    return [each["name"] for each in json.loads(files.clusters_file.read_text())["resources"]]


def test_records_come_back_as_they_were_put(files: DiscoveryFiles) -> None:
    files.put_server(server())
    files.put_service(ROUTES)

    assert files.servers() == [server()]
    assert files.services() == [ROUTES]


def test_every_server_has_one_cluster_for_each_protocol(files: DiscoveryFiles) -> None:
    files.put_server(server("digits-1-a"))
    files.put_server(server("digits-2-b"))
    files.remove_server("digits-1-a")

    assert cluster_names(files) == ["digits-2-b-http", "digits-2-b-grpc"]


def test_a_cluster_comes_before_the_routes_to_it_and_goes_after_them(
    files: DiscoveryFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write()
    written: list[Path] = []

    def note(path: Path, content: object) -> None:
        written.append(path)
        write_json(path, content)

    monkeypatch.setattr(discovery, "write_json", note)
    record = files.routes_file.parent / "clusters" / "digits-1-a.json"

    files.put_server(server())
    assert written == [record, files.clusters_file, files.routes_file]

    written.clear()
    files.remove_server("digits-1-a")
    assert written == [files.routes_file, files.clusters_file]


def test_both_files_are_there_before_anything_is_declared(files: DiscoveryFiles) -> None:
    files.write()

    assert cluster_names(files) == []
    assert files.routes_are_as_recorded()


def test_the_version_follows_the_content(files: DiscoveryFiles) -> None:
    files.put_service(ROUTES)
    first = files.routes_version()
    files.put_service(ServiceRoutes("digits", ("digits",), {"digits-2-b": 100}, 30))
    second = files.routes_version()
    files.put_service(ROUTES)

    assert first != second
    assert files.routes_version() == first
    assert json.loads(files.routes_file.read_text())["version_info"] == first


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text(path.read_text().replace("digits-1-a", "digits-9-z")),
        lambda path: path.write_text("{"),
        lambda path: path.unlink(),
    ],
    ids=["edited", "broken", "deleted"],
)
def test_a_file_changed_by_hand_is_noticed_and_mended(
    files: DiscoveryFiles, spoil: Callable[[Path], object]
) -> None:
    files.put_server(server())
    files.put_service(ROUTES)
    checks = {
        files.routes_file: files.routes_are_as_recorded,
        files.clusters_file: files.clusters_are_as_recorded,
    }
    for path, is_right in checks.items():
        before = path.read_text()
        assert is_right()

        spoil(path)

        assert not is_right()
        files.write()
        assert path.read_text() == before
        assert is_right()


def test_an_unchanged_file_is_left_alone(files: DiscoveryFiles) -> None:
    """Envoy reads a replaced file again, whatever it says."""
    files.put_service(ROUTES)
    before = files.routes_file.stat().st_ino

    files.put_service(ROUTES)

    assert files.routes_file.stat().st_ino == before


def test_a_writer_waits_until_another_has_ended(files: DiscoveryFiles) -> None:
    files.write()
    with ThreadPoolExecutor(1) as pool:
        with FileLock(files.routes_file.parent / "lock"):
            waiting = pool.submit(files.put_service, ROUTES)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
            assert files.services() == []
        waiting.result(timeout=20)

    assert files.services() == [ROUTES]


def test_every_field_of_routes_comes_back(files: DiscoveryFiles) -> None:
    whole = ServiceRoutes(
        "digits", ("digits",), {"digits-1-a": 100}, 30, 20.5, 2, Affinity(cookie="session")
    )
    files.put_service(whole)

    assert files.services() == [whole]
    assert files.routes_of("digits") == whole
    assert files.routes_of("letters") is None


def test_routes_replace_only_what_they_were_made_for(files: DiscoveryFiles) -> None:
    moved = replace(ROUTES, weights={"digits-1-a": 0, "digits-2-b": 100})
    files.put_service(ROUTES)

    assert files.put_service(moved, replacing=ROUTES) == ROUTES

    with pytest.raises(RoutesChangedError, match="digits-1-a 100%, digits-2-b 0%, found digits-1"):
        files.put_service(ROUTES, replacing=ROUTES)
    with pytest.raises(RoutesChangedError):
        files.remove_service("digits", replacing=ROUTES)
    assert files.services() == [moved]
    assert files.routes_are_as_recorded()


def test_of_two_who_replace_the_same_routes_one_wins(files: DiscoveryFiles) -> None:
    files.put_service(ROUTES)
    ways = [replace(ROUTES, weights={"digits-1-a": 100 - n, "digits-2-b": n}) for n in range(1, 9)]

    def try_way(way: ServiceRoutes) -> bool:
        try:
            DiscoveryFiles(files.routes_file.parent).put_service(way, replacing=ROUTES)
        except RoutesChangedError:
            return False
        return True

    with ThreadPoolExecutor(len(ways)) as pool:
        won = list(pool.map(try_way, ways))

    assert won.count(True) == 1
    assert files.services() == [ways[won.index(True)]]


def test_two_writers_lose_nothing_and_readers_see_whole_files(files: DiscoveryFiles) -> None:
    files.write()
    done = threading.Event()

    def write_services(name: str) -> None:
        own = DiscoveryFiles(files.routes_file.parent)
        for number in range(20):
            service = f"{name}{number}"
            own.put_service(ServiceRoutes(service, (service,), {f"{service}-1-a": 100}, 30))

    def read() -> int:
        reads = 0
        while not done.is_set():
            json.loads(files.routes_file.read_text())  # raises for half a file
            reads += 1
        return reads

    with ThreadPoolExecutor(3) as pool:
        reader = pool.submit(read)
        try:
            list(pool.map(write_services, ("a", "b")))
        finally:
            done.set()
        assert reader.result() > 0

    assert len(files.services()) == 40
    assert files.routes_are_as_recorded()
