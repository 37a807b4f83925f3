"""Counters of servers that share a name, each of which counts for itself."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.gate.builders import make_request
from tests.unit.gate.kserve_fake import FakeServer
from tidegate.gate import server_counters, server_watch
from tidegate.gate.arms import arms_of
from tidegate.gate.server_watch import ServerWatch
from tidegate.gate.servers import write_servers
from tidegate.gate.verdict import ServerCounts

pytestmark = pytest.mark.unit

TARGET = "127.0.0.1:8002"
ONE, TWO, THREE = "10.0.0.1:8002", "10.0.0.2:8002", "10.0.0.3:8002"


class Pods:
    """What each address has counted; None does not answer."""

    def __init__(self, run_dir: Path, **counted: int | None) -> None:
        self._run_dir = run_dir
        self.counted: dict[str, int | None] = dict(counted)

    def stand_behind(self, **addresses: str) -> None:
        write_servers(self._run_dir, {TARGET: addresses})

    def read(self, address: str, model: str, version: str) -> ServerCounts | None:
        counted = self.counted.get(address)
        return None if counted is None else ServerCounts(success=counted, failure=0)


@pytest.fixture
def pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pods:
    made = Pods(tmp_path)
    made.counted |= {TARGET: 7, ONE: 100, TWO: 200, THREE: 0}
    monkeypatch.setattr(server_watch, "read_counts", made.read)
    monkeypatch.setattr(server_watch, "_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(server_watch, "_SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(server_counters, "_SETTLE_SECONDS", 0.0)
    return made


def watch(folder: Path, **changes: Any) -> ServerWatch:
    server = FakeServer(http_target="127.0.0.1:8000", grpc_target="127.0.0.1:8001")
    request = make_request(folder, server, **({"metrics_target": TARGET} | changes))
    return ServerWatch(arms_of(request)[0], folder)


def test_one_server_is_read_at_its_own_target(pods: Pods, tmp_path: Path) -> None:
    watching = watch(tmp_path)
    pods.counted[TARGET] = 17

    found = watching.compare(10, 10)

    assert found is not None and found.counts == ServerCounts(success=10, failure=0)
    assert found.why_unusable is None and not watching.restarted and watching.gone == ()
    assert watch(tmp_path, metrics_target=None).compare(10, 10) is None


def test_counts_of_all_are_summed(pods: Pods, tmp_path: Path) -> None:
    pods.stand_behind(a=ONE, b=TWO)
    watching = watch(tmp_path)
    pods.counted |= {ONE: 104, TWO: 206}
    watching.look()

    found = watching.compare(10, 10)

    assert found is not None and found.counts == ServerCounts(success=10, failure=0)
    assert found.why_unusable is None and not watching.restarted


def test_a_restart_shows_although_the_sum_rises(pods: Pods, tmp_path: Path) -> None:
    pods.stand_behind(a=ONE, b=TWO)
    watching = watch(tmp_path)
    pods.counted |= {ONE: 0, TWO: 900}

    watching.look()

    assert watching.restarted


@pytest.mark.parametrize(
    ("after", "gone", "said"),
    [
        ({"a": ONE, "b": TWO, "c": THREE}, (), "c came during the run"),
        ({"a": ONE}, ("b",), "b went during the run"),
        ({"a": ONE, "c": THREE}, ("b",), "c came during the run and b went during the run"),
        # Another pod under the name of the first, as a StatefulSet's.
        ({"a": ONE, "b": THREE}, ("b",), "b came during the run and b went during the run"),
    ],
)
def test_who_comes_or_goes_makes_the_counters_unusable(
    pods: Pods, tmp_path: Path, after: dict[str, str], gone: tuple[str, ...], said: str
) -> None:
    pods.stand_behind(a=ONE, b=TWO)
    watching = watch(tmp_path)
    pods.stand_behind(**after)
    watching.look()
    pods.stand_behind(a=ONE, b=TWO)

    found = watching.compare(10, 10)

    assert found is not None and found.why_unusable == said
    assert watching.gone == gone


def test_one_that_does_not_answer_leaves_no_count(pods: Pods, tmp_path: Path) -> None:
    pods.stand_behind(a=ONE, b=TWO)
    watching = watch(tmp_path)
    pods.counted[TWO] = None

    found = watching.compare(10, 10)

    assert found is not None and found.counts is None and found.why_unusable is None


def test_users_are_counted_on_all(
    pods: Pods, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods.stand_behind(a=ONE, b=TWO)
    watching = watch(tmp_path)

    assert watching.users_rate() == 0.0
    monkeypatch.setattr("time.sleep", lambda _: pods.stand_behind(a=ONE))
    assert watching.users_rate() is None
