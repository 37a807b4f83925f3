"""How the traffic of a service moves from one revision to the next, and how it is carried."""

import math
import re
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from tidegate.spec.signature import SpecModel

FULL_WEIGHT = 100
_OWN_HEADER = re.compile(r"x-(?!tidegate-|envoy-|forwarded-|request-id$)")
ALIKE_WEIGHT = 50
"""Beyond it the new revision carries more than the old one, and that alone makes it slower."""
REQUESTS_BEYOND_QUANTILE = 10
"""With fewer requests beyond it, a quantile is the accident of single requests."""
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?)")


class CanaryStep(SpecModel):
    """`weight` percent of the users' requests for at least `seconds`."""

    weight: int = Field(ge=1, lt=FULL_WEIGHT)
    seconds: float = Field(default=60, gt=0, le=86400)


class MaxRegression(SpecModel):
    """By how much the new revision may be worse for users than the one it replaces.

    `error_rate` is a difference of shares: 0.01 allows one more failed request in a hundred.
    `latency` maps quantiles to relative margins: {"p95": 0.25} allows a p95 a quarter longer.
    """

    error_rate: float = Field(default=0.01, gt=0, lt=1)
    latency: dict[str, Annotated[float, Field(gt=0, le=100)]] = Field(
        default_factory=lambda: {"p95": 0.25}
    )

    @field_validator("latency")
    @classmethod
    def _names_are_quantiles(cls, latency: dict[str, float]) -> dict[str, float]:
        for name in latency:
            found = _QUANTILE.fullmatch(name)
            if found is None or float(found[1]) == 0:
                raise ValueError(f"write p50, p95 or p99 for {name!r}, which names no quantile")
        return latency


class SwitchStrategy(SpecModel):
    """How a switch goes to a revision that has not served users here before.

    `all-at-once` moves everything in one atomic step. `canary` goes through `steps` first, and
    each has to show that the new revision is no worse than `max_regression` allows, on
    `minimum_requests` of either revision at least. A step that has shown nothing after
    `patience` times its seconds turns back. Latencies are judged up to ALIKE_WEIGHT, and best at
    it: servers under unlike loads compare badly. `bake_seconds` is the time after the last step
    during which the traffic still turns back by itself.
    """

    strategy: Literal["all-at-once", "canary"] = "all-at-once"
    steps: tuple[CanaryStep, ...] = ()
    bake_seconds: float = Field(default=0, ge=0, le=86400)
    max_regression: MaxRegression = MaxRegression()
    minimum_requests: int = Field(default=1000, ge=100)
    patience: float = Field(default=10, ge=1, le=100)

    @model_validator(mode="after")
    def _steps_fit_the_strategy(self) -> Self:
        if self.strategy == "all-at-once":
            if self.steps:
                raise ValueError("write `strategy: canary`, or remove the steps")
            return self
        if not self.steps:
            raise ValueError("write at least one step, such as {weight: 5, seconds: 60}")
        for before, after in pairwise(step.weight for step in self.steps):
            if after <= before:
                raise ValueError(
                    f"write weights that rise: {after} follows {before}; 100 comes by itself"
                )
        return self

    @model_validator(mode="after")
    def _latencies_can_be_compared(self) -> Self:
        if not (self.steps and self.max_regression.latency):
            return self
        if self.steps[0].weight > ALIKE_WEIGHT:
            raise ValueError(
                f"write a first step of at most {ALIKE_WEIGHT}, or `latency: {{}}` in "
                f"maxRegression: with {self.steps[0].weight}% of the traffic the new revision "
                "would be slower for its load alone"
            )
        return self

    @model_validator(mode="after")
    def _quantiles_have_a_sample(self) -> Self:
        for name in self.max_regression.latency:
            beyond = 1.0 - float(name.removeprefix("p")) / 100.0
            needed = math.ceil(REQUESTS_BEYOND_QUANTILE / beyond - 1e-6)
            if self.strategy == "canary" and self.minimum_requests < needed:
                raise ValueError(
                    f"write minimumRequests: {needed} or leave {name} out of "
                    f"maxRegression.latency: of {self.minimum_requests} requests fewer than "
                    f"{REQUESTS_BEYOND_QUANTILE} are slower than their {name}"
                )
        return self


class Affinity(SpecModel):
    """Keeps a session on the revision that began it, while that takes traffic, and through a bake.

    The gateway names the revision in a cookie, or in a response header that clients send back.
    """

    cookie: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    header: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,64}$")
    seconds: int = Field(default=3600, ge=1, le=30 * 86400, description="Age limit of the cookie.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.cookie is None) == (self.header is None):
            raise ValueError("write either `cookie: <name>` or `header: <name>`")
        return self

    @field_validator("header")
    @classmethod
    def _header_is_the_services_own(cls, header: str | None) -> str | None:
        """The gateway sets it in every answer, and would overwrite one with another meaning."""
        if header is not None and not _OWN_HEADER.match(header):
            raise ValueError(
                f"{header} has a meaning of its own for the gateway or for HTTP; write a name of "
                "the service's own that begins with x-, such as x-digits-session"
            )
        return header
