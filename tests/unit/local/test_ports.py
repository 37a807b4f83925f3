import os
import socket
from collections.abc import Iterator

import psutil
import pytest

from tidegate.local import ports
from tidegate.local.ports import SERVER_PORTS, NoFreePortError

pytestmark = pytest.mark.unit


@pytest.fixture
def held() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_the_holder_of_a_port_is_named_with_its_process_id(held: int) -> None:
    assert not ports.is_free(held)
    assert ports.holder_pid(held) == os.getpid()
    assert ports.holder(held) == f"{psutil.Process().name()} (pid {os.getpid()})"


def test_a_server_on_every_address_holds_the_port_as_well() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104  # for a moment, no service
        port = int(listener.getsockname()[1])
        assert ports.holder_pid(port) == os.getpid()
        assert not ports.is_free(port)


def test_a_server_on_another_address_does_not_hold_the_port() -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener:
        port = int(listener.getsockname()[1])
        assert ports.is_free(port)
        assert ports.holder(port) is None
        assert ports.holder_pid(port) is None


def test_a_port_that_was_let_go_has_no_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])

    assert ports.is_free(port)
    assert ports.holder(port) is None


def test_a_holder_that_cannot_be_seen_is_said_to_be_of_another_user(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "net_connections", lambda kind: [])

    assert ports.holder(held) == "a process of another user"


def test_free_ports_differ_and_are_not_those_taken() -> None:
    first = ports.find_free(3, (), 500)
    second = ports.find_free(3, first, 500)

    assert len({*first, *second}) == 6
    assert all(port in SERVER_PORTS for port in (*first, *second))


def test_the_search_goes_round_the_end_of_the_range() -> None:
    last = len(SERVER_PORTS) - 1
    taken = range(SERVER_PORTS.stop - 1, SERVER_PORTS.stop)

    (port,) = ports.find_free(1, taken, last)

    assert port < SERVER_PORTS.stop - 1


def test_a_full_range_is_an_error_that_names_it() -> None:
    with pytest.raises(NoFreePortError, match="between 18000 and 18999"):
        ports.find_free(1, SERVER_PORTS, 0)


def test_listens_is_about_one_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ports.listens(os.getpid(), port)
        assert not ports.listens(os.getppid(), port)
    assert not ports.listens(os.getpid(), port)
