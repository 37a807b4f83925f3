"""Envoys that do not answer.

The API server calls the Envoy of a lost node ready for most of a minute. Whoever can do with the
others' answers does not wait for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import httpx2

from tidegate.traffic.gateway_api.envoys import Envoy
from tidegate.traffic.router import RouterError

SLOW_SECONDS = 0.5
LEFT_OUT_SECONDS = 10.0
"""So long an Envoy is not asked again where others answer, when a question took SLOW_SECONDS and
more: every other one would take until its timeout as well."""

T = TypeVar("T")


class SilentEnvoyError(RouterError):
    """An Envoy does not answer, and has not for so many `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True)
class Told:
    """What is not as it should be: in words, of Envoys that answer; and who does not."""

    otherwise: Sequence[str] = ()
    silent: Sequence[SilentEnvoyError] = ()


@dataclass(frozen=True)
class _Silence:
    """Since the first question without an answer."""

    since: float
    left_out_until: float


class Silences:
    """Which Envoys of a Gateway are silent, and since when."""

    def __init__(self) -> None:
        self._silences: dict[str, _Silence] = {}

    async def heard(self, envoy: Envoy, work: Awaitable[T]) -> T:
        """What the Envoy answers. Raises SilentEnvoyError."""
        asked_at = time.monotonic()
        try:
            answer = await work
        except (httpx2.HTTPError, OSError) as error:
            now, known = time.monotonic(), self._silences.get(envoy.uid)
            since = known.since if known is not None else asked_at
            left_out = LEFT_OUT_SECONDS if now - asked_at >= SLOW_SECONDS else 0.0
            self._silences[envoy.uid] = _Silence(since, now + left_out)
            why = str(error) or type(error).__name__
            words = f"Envoy {envoy.name} at {envoy.address} does not answer: {why}"
            raise SilentEnvoyError(words, now - since) from error
        self._silences.pop(envoy.uid, None)
        return answer

    def left_out_of(self, envoys: list[Envoy]) -> list[Envoy]:
        """Without those that let whoever asked wait; all of them when there are no others."""
        now = time.monotonic()
        silent = {uid for uid, each in self._silences.items() if each.left_out_until > now}
        return [each for each in envoys if each.uid not in silent] or envoys


async def answers_of(works: Iterable[Awaitable[T]]) -> list[T | SilentEnvoyError]:
    """Each one's answer, or that there is none."""
    return list(await asyncio.gather(*(_or_silent(each) for each in works)))


def raise_if_all_silent(found: Sequence[object]) -> None:
    """Raise SilentEnvoyError when there is nothing else."""
    silent = [each for each in found if isinstance(each, SilentEnvoyError)]
    if silent and len(silent) == len(found):
        raise silent[0]


async def _or_silent(work: Awaitable[T]) -> T | SilentEnvoyError:
    try:
        return await work
    except SilentEnvoyError as error:
        return error
