"""How the rate of arrivals changes over the judged time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tidegate.gate.document import Document
from tidegate.spec.errors import SpecError

_SHORTEST_PIECE = 0.01
"""Seconds; shorter changes of rate drown in the distances between requests."""


@dataclass(frozen=True)
class RatePiece:
    """A stretch of time, in seconds from the start of the warm-up, at one rate."""

    start_seconds: float
    end_seconds: float
    rate_per_second: float

    @property
    def requests(self) -> float:
        """How many requests are expected in it."""
        return (self.end_seconds - self.start_seconds) * self.rate_per_second


class Step(Document):
    seconds: float
    rate_per_second: float


class SteppedShape(Document):
    """Steps one after the other, from the first again when the last is over."""

    kind: Literal["stepped"]
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for number, step in enumerate(self.steps):
            _positive(f"shape.steps.{number}.seconds", step.seconds, "60")
            _not_negative(f"shape.steps.{number}.ratePerSecond", step.rate_per_second)
        if not any(step.rate_per_second for step in self.steps):
            raise SpecError(
                "shape.steps", 0, "no step sends a request", "a step with a rate above 0"
            )
        return self

    @property
    def cycle_seconds(self) -> float:
        return math.fsum(step.seconds for step in self.steps)

    def cycle(self, base_rate: float) -> Iterator[tuple[float, float]]:
        return ((step.seconds, step.rate_per_second) for step in self.steps)


class BurstShape(Document):
    """The profile's own rate, and a burst at the end of every period."""

    kind: Literal["burst"]
    every_seconds: float
    burst_seconds: float
    burst_rate_per_second: float

    @model_validator(mode="after")
    def _check(self) -> Self:
        _positive("shape.everySeconds", self.every_seconds, "20")
        _positive("shape.burstSeconds", self.burst_seconds, "2")
        _positive("shape.burstRatePerSecond", self.burst_rate_per_second, "500")
        if self.burst_seconds >= self.every_seconds:
            raise SpecError(
                "shape.burstSeconds",
                self.burst_seconds,
                f"a burst every {self.every_seconds:g} s would never end",
                "less than everySeconds",
            )
        return self

    @property
    def cycle_seconds(self) -> float:
        return self.every_seconds

    def cycle(self, base_rate: float) -> Iterator[tuple[float, float]]:
        yield self.every_seconds - self.burst_seconds, base_rate
        yield self.burst_seconds, self.burst_rate_per_second


class ReplayedShape(Document):
    """Recorded traffic as requests per bin of time, such as an access log counted by second."""

    kind: Literal["replayed"]
    bin_seconds: float = 1.0
    requests: tuple[int, ...] = Field(min_length=1, max_length=100_000)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _positive("shape.binSeconds", self.bin_seconds, "1")
        for number, count in enumerate(self.requests):
            _not_negative(f"shape.requests.{number}", count)
        if not any(self.requests):
            raise SpecError("shape.requests", 0, "every bin is empty", "a bin with requests")
        return self

    @property
    def cycle_seconds(self) -> float:
        return self.bin_seconds * len(self.requests)

    def cycle(self, base_rate: float) -> Iterator[tuple[float, float]]:
        return ((self.bin_seconds, count / self.bin_seconds) for count in self.requests)


Shape = Annotated[SteppedShape | BurstShape | ReplayedShape, Field(discriminator="kind")]


def rate_pieces(
    shape: Shape | None, base_rate: float, warm_up_seconds: float, duration_seconds: float
) -> tuple[RatePiece, ...]:
    """The whole schedule without a gap: the warm-up at `base_rate`, then the shape, repeated.

    Neighbours of one rate are merged.
    """
    total = warm_up_seconds + duration_seconds
    if shape is None:
        return (RatePiece(0.0, total, base_rate),)
    pieces = [RatePiece(0.0, warm_up_seconds, base_rate)] if warm_up_seconds else []
    for repeat in range(math.ceil(duration_seconds / shape.cycle_seconds)):
        start = warm_up_seconds + repeat * shape.cycle_seconds
        for seconds, rate in shape.cycle(base_rate):
            end = min(start + seconds, total)
            if end <= start:
                break
            if pieces and pieces[-1].rate_per_second == rate:
                pieces[-1] = RatePiece(pieces[-1].start_seconds, end, rate)
            else:
                pieces.append(RatePiece(start, end, rate))
            start += seconds
    # Sums of many bins end a rounding error before the total.
    pieces[-1] = RatePiece(pieces[-1].start_seconds, total, pieces[-1].rate_per_second)
    return tuple(pieces)


def _positive(field: str, value: float, example: str) -> None:
    if value < _SHORTEST_PIECE:
        raise SpecError(
            field, value, f"it is below {_SHORTEST_PIECE:g}", f"a number such as {example}"
        )


def _not_negative(field: str, value: float) -> None:
    if value < 0:
        raise SpecError(field, value, "requests are not negative", "0 or more")
