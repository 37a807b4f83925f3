"""Arrivals are seeded, ordered and cover every protocol and example."""

import numpy as np
import pytest

from tests.unit.gate.builders import make_profile
from tidegate.gate.samples import ProtocolCode
from tidegate.gate.schedule import make_schedule

pytestmark = pytest.mark.unit

PROTOCOLS = (ProtocolCode.HTTP_BINARY, ProtocolCode.HTTP_JSON, ProtocolCode.GRPC)


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
def test_same_seed_same_schedule(arrival: str) -> None:
    first, second, other = (
        make_schedule(make_profile(arrival=arrival, seed=seed), PROTOCOLS, 7) for seed in (5, 5, 6)
    )
    assert np.array_equal(first.due, second.due)
    assert np.array_equal(first.protocol, second.protocol)
    assert np.array_equal(first.example, second.example)
    assert not np.array_equal(first.example, other.example)


def test_constant_arrivals_keep_the_rate() -> None:
    schedule = make_schedule(make_profile(rate_per_second=100), PROTOCOLS, 7)
    assert len(schedule) == 230
    assert np.allclose(np.diff(schedule.due), 0.01)


def test_poisson_arrivals_have_exponential_gaps() -> None:
    profile = make_profile(
        arrival="poisson", rate_per_second=500, duration_seconds=60, max_requests=100_000
    )
    due = make_schedule(profile, PROTOCOLS, 7).due
    gaps = np.diff(due)
    assert (gaps >= 0).all() and due[-1] < profile.total_seconds
    assert gaps.mean() == pytest.approx(1 / 500, rel=0.03)
    assert gaps.std() == pytest.approx(1 / 500, rel=0.05)


def test_protocols_and_examples_are_used_equally_and_independently() -> None:
    profile = make_profile(duration_seconds=60)
    schedule = make_schedule(profile, PROTOCOLS, 7)
    pairs = np.zeros((3, 7))
    np.add.at(pairs, (schedule.protocol, schedule.example), 1)
    assert np.ptp(pairs.sum(axis=1)) <= 1 and np.ptp(pairs.sum(axis=0)) <= 1
    assert pairs.min() > 0.8 * pairs.mean()
