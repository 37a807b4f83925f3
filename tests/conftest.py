"""What all tests need, whatever started them, and which of them run beside each other."""

import signal
from collections.abc import Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

EXTENDED = "--extended"
LONG_FIRST = ("tests/cluster/", "tests/engine/", "tests/cloud/")
CLUSTERS = "tests/cluster/"
ON_ANOTHER_CLUSTER = ("test_failures.py", "test_promotion.py", "test_router.py")
"""About half of the time of all that need one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(EXTENDED, action="store_true", help="run what is marked `extended` as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        begins = [item.nodeid.startswith(each) for each in LONG_FIRST]
        return begins.index(True) if any(begins) else len(begins)

    if not config.getoption(EXTENDED):
        left_out = [each for each in items if each.get_closest_marker("extended")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [each for each in items if not each.get_closest_marker("extended")]
    items.sort(key=place)


class TwoClusters(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests run in one process, and two processes share those that need a cluster.

    A control plane of each process's own would take as much time as it saves.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        if not file.startswith(CLUSTERS):
            return file
        return f"{CLUSTERS}{file.removeprefix(CLUSTERS) in ON_ANOTHER_CLUSTER}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoClusters | None:
    return TwoClusters(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C reaches the programs that tests start.

    A shell starts what runs in its background with SIGINT ignored, and children inherit that.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
