import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tidegate.local import ports
from tidegate.local.ports import SERVER_PORTS, NoFreePortError, Reservations

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


def test_found_ports_differ_and_are_not_those_taken() -> None:
    with Reservations() as first, Reservations() as second:
        found = first.find(3, (), 500)
        others = second.find(3, found, 500)

    assert len({*found, *others}) == 6
    assert all(port in SERVER_PORTS for port in (*found, *others))


def test_the_search_goes_round_the_end_of_the_range() -> None:
    last = len(SERVER_PORTS) - 1
    taken = range(SERVER_PORTS.stop - 1, SERVER_PORTS.stop)

    with Reservations() as reservations:
        (port,) = reservations.find(1, taken, last)

    assert port < SERVER_PORTS.stop - 1


def test_a_full_range_is_an_error_that_names_it() -> None:
    full = pytest.raises(NoFreePortError, match="between 18000 and 18999")
    with Reservations() as reservations, full:
        reservations.find(1, SERVER_PORTS, 0)


def test_a_reserved_port_is_nobody_elses_until_it_is_let_go() -> None:
    with Reservations() as first, Reservations() as second:
        (port,) = first.find(1, (), 700)
        assert first.take(port)
        assert not second.take(port)
        assert port not in second.find(3, (), 700)

    with Reservations() as third:
        assert third.take(port)


def test_a_reservation_ends_with_the_process_that_has_it() -> None:
    program = (
        "import sys; from tidegate.local.ports import Reservations; r = Reservations();"
        "print(r.find(1, (), 800)[0], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        port = int(holder.stdout.readline())
        with Reservations() as reservations:
            assert not reservations.take(port)
            holder.kill()
            holder.wait(timeout=20)
            assert reservations.take(port)


def test_a_port_that_somebody_listens_on_cannot_be_reserved_and_stays_unreserved(
    held: int,
) -> None:
    with Reservations() as first, Reservations() as second:
        assert not first.take(held)
        assert not second.take(held)
        assert not first.take(held)


def test_listens_is_about_one_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ports.listens(os.getpid(), port)
        assert not ports.listens(os.getppid(), port)
    assert not ports.listens(os.getpid(), port)
