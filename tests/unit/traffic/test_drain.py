from collections.abc import Mapping

import pytest

from tidegate.traffic.drain import QUIET_POLLS, drain
from tidegate.traffic.router import NoDataPlaneError, RouterError, UserCounters
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit


class CountingRouter:
    """Says one number of active requests after the other; the last one for ever."""

    def __init__(self, *active: int) -> None:
        self._active = list(active)
        self.polls = 0

    async def active_requests(self, revision: str) -> int:
        self.polls += 1
        return self._active.pop(0) if len(self._active) > 1 else self._active[0]

    async def open_requests(self, revision: str) -> Mapping[str, int]:
        return {"http": self._active[0] - 1, "grpc": 1}

    async def user_counters(self, revision: str) -> UserCounters:
        raise NotImplementedError

    async def observe(self, service: str) -> ServiceRoutes | None:
        raise NotImplementedError

    async def apply(self, routes: ServiceRoutes, replacing: ServiceRoutes | None = None) -> None:
        raise NotImplementedError

    async def withdraw(self, service: str) -> None:
        raise NotImplementedError

    async def is_healthy(self, revision: str) -> bool:
        raise NotImplementedError


async def no_sleep(_seconds: float) -> None:
    pass


async def test_it_ends_when_requests_have_ended() -> None:
    router = CountingRouter(3, 1, 0)
    said: list[str] = []

    drained = await drain(router, "digits-1-a", 60, no_sleep, said.append)

    assert drained.left == 0
    assert drained.in_words.startswith("digits-1-a had answered everything after ")

    assert said == [
        "draining digits-1-a: 3 requests in flight",
        "draining digits-1-a: 1 requests in flight",
    ]


async def test_one_zero_between_two_requests_is_not_the_end() -> None:
    router = CountingRouter(2, 0, 1, 0)

    await drain(router, "digits-1-a", 60, no_sleep, lambda _message: None)

    assert router.polls == 3 + QUIET_POLLS


async def test_at_the_limit_it_says_how_many_are_left_by_protocol() -> None:
    drained = await drain(CountingRouter(5), "digits-1-a", 0, no_sleep, lambda _message: None)

    assert drained.open_requests == {"http": 4, "grpc": 1}
    assert "still has 5 requests open" in drained.in_words
    assert "(http 4, grpc 1)" in drained.in_words


class SilentRouter(CountingRouter):
    """Does not answer the first questions."""

    def __init__(self, silent: int, error: RouterError) -> None:
        super().__init__(0)
        self._silent = silent
        self._error = error

    async def active_requests(self, revision: str) -> int:
        if self.polls < self._silent:
            self.polls += 1
            raise self._error
        return await super().active_requests(revision)


class Clock:
    """Passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_a_router_that_is_silent_is_asked_again() -> None:
    clock, said = Clock(), list[str]()
    router = SilentRouter(20, RouterError("gone"))

    drained = await drain(router, "digits-1-a", 5, clock.sleep, said.append, lambda: clock.now)

    assert drained.left == 0 and drained.seconds >= 2.0
    assert said[0] == "draining digits-1-a: waiting for the router: gone"


async def test_one_that_is_still_silent_at_the_limit_is_an_error() -> None:
    clock = Clock()
    router = SilentRouter(1000, RouterError("gone"))

    with pytest.raises(RouterError, match="gone"):
        await drain(router, "digits-1-a", 5, clock.sleep, lambda _line: None, lambda: clock.now)

    assert clock.now == pytest.approx(5, abs=0.2)


async def test_without_a_data_plane_nothing_is_waited_for() -> None:
    clock = Clock()
    router = SilentRouter(1000, NoDataPlaneError("no Envoy runs"))

    with pytest.raises(NoDataPlaneError):
        await drain(router, "digits-1-a", 5, clock.sleep, lambda _line: None, lambda: clock.now)

    assert clock.now == 0
