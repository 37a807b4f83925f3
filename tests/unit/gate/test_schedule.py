"""Arrivals are seeded, ordered and cover every protocol and example."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.unit.gate.builders import make_profile
from tidegate.gate.profile import Profile
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM, ProtocolCode
from tidegate.gate.schedule import ArmPlan, make_schedule, segments

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


BOTH = (ArmPlan(CANDIDATE_ARM, PROTOCOLS), ArmPlan(BASELINE_ARM, PROTOCOLS, 0.5))


def all_of(profile: Profile, plans: Sequence[ArmPlan], workers: int) -> np.ndarray:  # type: ignore[type-arg]
    """Every row of every worker, sorted by time."""
    found = []
    for number in range(workers):
        first = 0
        for segment in segments(profile, plans, 7):
            share = segment.share_of(number, workers, first)
            found.append(np.stack([share.due, share.arm, share.protocol, share.example]))
            first += len(segment)
    rows = np.concatenate(found, axis=1)
    return np.asarray(rows[:, np.lexsort(rows[::-1])])


@pytest.mark.parametrize("workers", [2, 3, 5])
@pytest.mark.parametrize("arrival", ["constant", "poisson"])
def test_the_schedule_does_not_depend_on_the_number_of_workers(arrival: str, workers: int) -> None:
    profile = make_profile(arrival=arrival, duration_seconds=7)
    assert np.array_equal(all_of(profile, BOTH, workers), all_of(profile, BOTH, 1))


def test_a_baseline_has_arrivals_of_its_own_and_begins_gently() -> None:
    profile = make_profile(
        arrival="poisson",
        rate_per_second=400,
        duration_seconds=100,
        warm_up_seconds=100,
        max_requests=200_000,
    )
    due, arm = all_of(profile, BOTH, 1)[:2]
    baseline = due[arm == BASELINE_ARM]
    assert np.count_nonzero(baseline < 100) == pytest.approx(100 * 400 * 0.5 * 0.25, rel=0.05)
    assert np.count_nonzero(baseline >= 100) == pytest.approx(100 * 400 * 0.5, rel=0.05)
    alone = make_schedule(profile, PROTOCOLS, 7).due
    assert np.array_equal(due[arm == CANDIDATE_ARM], alone)
    per_second = np.array(
        [np.bincount(each.astype(int), minlength=200)[100:] for each in (alone, baseline)], float
    )
    assert abs(np.corrcoef(per_second)[0, 1]) < 0.3


@pytest.mark.parametrize("arrival", ["constant", "poisson"])
def test_a_burst_is_where_it_belongs(arrival: str) -> None:
    shape = {"kind": "burst", "everySeconds": 10, "burstSeconds": 2, "burstRatePerSecond": 500}
    profile = make_profile(
        arrival=arrival,
        rate_per_second=50,
        duration_seconds=40,
        warm_up_seconds=0,
        shape=shape,
        max_requests=200_000,
    )
    due = make_schedule(profile, PROTOCOLS, 7).due
    counts = np.bincount(due.astype(int), minlength=40)
    busy = np.array(
        [
            any(
                p.start_seconds <= at < p.end_seconds and p.rate_per_second == 500
                for p in profile.rate_pieces()
            )
            for at in range(40)
        ]
    )
    assert busy.sum() == 8
    assert counts[busy].mean() == pytest.approx(500, rel=0.1)
    assert counts[~busy].mean() == pytest.approx(50, rel=0.1)


def test_recorded_arrivals_are_replayed_bin_by_bin() -> None:
    requests = [30, 0, 10, 60]
    profile = make_profile(
        duration_seconds=8,
        warm_up_seconds=0,
        max_error_rate=0.1,
        shape={"kind": "replayed", "binSeconds": 1, "requests": requests},
    )
    due = make_schedule(profile, PROTOCOLS, 7).due
    assert np.bincount(due.astype(int), minlength=8).tolist() == requests * 2
    assert (np.diff(due) >= 0).all()
