import numpy as np
import pytest

from tests.unit.traffic.users import Users
from tidegate.gate.histogram import bin_centres
from tidegate.traffic.router import LatencyBin, UserCounters
from tidegate.traffic.user_sample import MAX_BLOCKS, UserSample

pytestmark = pytest.mark.unit


def test_only_what_was_added_since_the_origin_counts() -> None:
    users, sample = Users(requests=500, errors=40), UserSample()
    sample.add(0.0, users.counters())
    for second in (1.0, 2.0, 3.0):
        users.meet(10, errors=1)
        sample.add(second, users.counters())

    assert (sample.requests, sample.errors, sample.seconds) == (30, 3, 3)
    assert sample.failures().requests.tolist() == [10, 10, 10]
    assert sample.failures(last_seconds=2).misses.tolist() == [1, 1]
    latencies = sample.latencies()
    assert latencies.requests.tolist() == [10, 10, 10]
    assert latencies.answered.sum() == 27


def test_streams_have_no_latency_and_count_in_none() -> None:
    sample = UserSample()
    sample.add(0.0, UserCounters(0, 0, 0, ()))
    sample.add(1.0, UserCounters(8, 2, 0, (LatencyBin(0.01, 0.001, 5),)))

    assert sample.requests == 8
    assert sample.latencies().requests.tolist() == [7]


def test_a_long_stage_keeps_few_blocks_and_loses_nothing() -> None:
    users, sample = Users(), UserSample()
    sample.add(0.0, users.counters())
    for second in range(1, 1001):
        users.meet(3)
        sample.add(float(second), users.counters())

    latencies = sample.latencies()
    assert MAX_BLOCKS // 2 <= latencies.requests.size <= MAX_BLOCKS
    assert latencies.requests.sum() == latencies.answered.sum() == 3000


def test_durations_lie_evenly_in_the_routers_wide_bins() -> None:
    sample = UserSample()
    sample.add(0.0, UserCounters(0, 0, 0, ()))
    # From 10 to 11 ms, a tenth of its value wide.
    for second in range(1, 101):
        sample.add(
            float(second), UserCounters(7 * second, 0, 0, (LatencyBin(0.010, 0.001, 7 * second),))
        )

    counts = sample.latencies().answered.sum(axis=0)
    cumulated = np.cumsum(counts) / counts.sum()
    for share in (0.1, 0.5, 0.9):
        found = bin_centres()[int(np.searchsorted(cumulated, share))]
        assert found == pytest.approx(0.010 + share * 0.001, rel=0.01)


@pytest.mark.parametrize(
    "after",
    [
        UserCounters(9, 1, 0, (LatencyBin(0.01, 0.001, 9),)),
        UserCounters(10, 0, 0, (LatencyBin(0.01, 0.001, 9),)),
        UserCounters(10, 1, 0, (LatencyBin(0.01, 0.001, 8),)),
        UserCounters(10, 1, 0, (LatencyBin(0.02, 0.001, 9),)),
    ],
)
def test_numbers_that_shrink_do_not_continue(after: UserCounters) -> None:
    before = UserCounters(10, 1, 0, (LatencyBin(0.01, 0.001, 9),))
    sample = UserSample()
    sample.add(0.0, before)

    assert sample.continues(before)
    assert not sample.continues(after)
