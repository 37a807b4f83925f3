from collections.abc import Callable, Iterator

import pytest

from tests.unit.traffic.users import Users
from tidegate.spec.traffic import MaxRegression
from tidegate.traffic.judgement import AfterJudge, BesideJudge
from tidegate.traffic.outcome import Judgement, StageOutcome

pytestmark = pytest.mark.unit

Second = Callable[[int, Users, Users], None]
REGRESSION = MaxRegression(error_rate=0.01, latency={"p95": 0.25})


def beside(minimum_requests: int = 500, limit: float = 120) -> BesideJudge:
    return BesideJudge(REGRESSION, minimum_requests, 20, limit, stages=3, seed=1)


def judged(judge: BesideJudge, meet: Second, seconds: int) -> Iterator[tuple[int, Judgement]]:
    """What is said each second while users of both revisions meet what `meet` says."""
    new, old = Users(requests=7, errors=5), Users(requests=90_000, errors=30)
    judge.add(0.0, new.counters(), old.counters())
    for second in range(1, seconds + 1):
        meet(second, new, old)
        judge.add(float(second), new.counters(), old.counters())
        yield second, judge.judge()


def first_decided(judge: BesideJudge, meet: Second, seconds: int) -> tuple[int, Judgement]:
    for second, judgement in judged(judge, meet, seconds):
        if judgement.outcome is not StageOutcome.UNDECIDED:
            return second, judgement
    raise AssertionError("nothing was decided")


def alike(_: int, new: Users, old: Users) -> None:
    new.meet(40)
    old.meet(160)


def test_an_equal_revision_advances_when_time_and_requests_suffice() -> None:
    second, judgement = first_decided(beside(), alike, 120)

    assert second == 20
    assert judgement.outcome is StageOutcome.ADVANCE
    assert judgement.candidate_requests == 800
    assert judgement.candidate_errors == 0
    assert [each.name for each in judgement.conditions] == ["errorRate", "p95"]
    assert all(each.upper is not None and each.upper < each.limit for each in judgement.conditions)


def test_it_waits_for_the_minimum_sample() -> None:
    second, judgement = first_decided(beside(minimum_requests=2000), alike, 120)

    assert second == 50
    assert judgement.outcome is StageOutcome.ADVANCE


def test_without_users_it_turns_back_for_want_of_data() -> None:
    second, judgement = first_decided(beside(), lambda *_: None, 130)

    assert second == 120
    assert judgement.outcome is StageOutcome.TURN_BACK
    assert not judgement.was_shown
    assert "no data" in judgement.reason


def test_too_few_requests_never_advance() -> None:
    def few(_: int, new: Users, old: Users) -> None:
        new.meet(1)
        old.meet(160)

    second, judgement = first_decided(beside(), few, 130)

    assert (second, judgement.outcome) == (120, StageOutcome.TURN_BACK)
    assert not judgement.was_shown
    assert "answered 120 and the old one 19200, and 500" in judgement.reason


def test_doubt_at_the_limit_turns_back_without_blame() -> None:
    def on_the_margin(second: int, new: Users, old: Users) -> None:
        new.meet(40, errors=2 if second % 5 == 0 else 0)
        old.meet(160)

    second, judgement = first_decided(beside(), on_the_margin, 130)

    assert (second, judgement.outcome) == (120, StageOutcome.TURN_BACK)
    assert not judgement.was_shown
    assert "did not show" in judgement.reason


@pytest.mark.parametrize("begins", [0, 40])
def test_a_revision_that_fails_everything_is_turned_back_within_seconds(begins: int) -> None:
    def failing(second: int, new: Users, old: Users) -> None:
        new.meet(15, errors=15 if second > begins else 0)
        old.meet(285)

    # Not ready before 60 s: 15/s reach 900 requests then.
    judge = beside(minimum_requests=900)
    second, judgement = first_decided(judge, failing, 120)

    # Half of the last ten seconds has to fail when it began amid a step.
    assert second <= begins + (2 if begins == 0 else 7)
    assert judgement.outcome is StageOutcome.TURN_BACK
    assert judgement.was_shown
    assert "fails" in judgement.reason


def test_one_bad_second_turns_nothing_back() -> None:
    def stumbling(second: int, new: Users, old: Users) -> None:
        new.meet(40, errors=40 if second == 1 else 0)
        old.meet(160)

    for second, judgement in judged(beside(limit=60), stumbling, 59):
        assert judgement.outcome is not StageOutcome.TURN_BACK, (second, judgement.reason)


def test_failures_that_both_revisions_share_turn_nothing_back() -> None:
    def outage(_: int, new: Users, old: Users) -> None:
        new.meet(40, errors=36)
        old.meet(160, errors=144)

    for _, judgement in judged(beside(), outage, 60):
        assert judgement.outcome is not StageOutcome.TURN_BACK


def test_more_errors_than_allowed_are_shown() -> None:
    def worse(second: int, new: Users, old: Users) -> None:
        new.meet(40, errors=2 + second % 2)
        old.meet(160)

    second, judgement = first_decided(beside(), worse, 60)

    assert second < 20
    assert judgement.was_shown
    errors = judgement.conditions[0]
    assert errors.outcome is StageOutcome.TURN_BACK
    assert errors.lower is not None
    assert errors.lower > 0.01
    assert "percentage points" in judgement.reason


def test_a_slower_revision_is_shown() -> None:
    def slower(_: int, new: Users, old: Users) -> None:
        new.meet(40, milliseconds=40)
        old.meet(160, milliseconds=20)

    _, judgement = first_decided(beside(), slower, 60)

    assert judgement.was_shown
    ratio = judgement.conditions[1]
    assert ratio.estimate == pytest.approx(49.5 / 29.5, rel=0.02)
    assert ratio.outcome is StageOutcome.TURN_BACK
    assert "p95 is" in judgement.reason


def test_a_slightly_slower_revision_within_the_margin_advances() -> None:
    def slightly(_: int, new: Users, old: Users) -> None:
        new.meet(40, milliseconds=22)
        old.meet(160, milliseconds=20)

    _, judgement = first_decided(beside(), slightly, 60)

    assert judgement.outcome is StageOutcome.ADVANCE
    assert judgement.conditions[1].estimate == pytest.approx(31.5 / 29.5, rel=0.02)


def test_longer_latencies_under_more_load_blame_nobody() -> None:
    def most(_: int, new: Users, old: Users) -> None:
        new.meet(150, milliseconds=40)
        old.meet(50, milliseconds=20)

    _, judgement = first_decided(beside(), most, 60)

    assert judgement.outcome is StageOutcome.ADVANCE
    assert [each.name for each in judgement.conditions] == ["errorRate"]


def test_a_restart_of_the_router_loses_one_second_and_keeps_the_rest() -> None:
    judge = beside(minimum_requests=1000)
    new, old = Users(requests=500), Users(requests=2000)
    judge.add(0.0, new.counters(), old.counters())
    for second in range(1, 31):
        if second == 10:
            new, old = Users(), Users()
        alike(second, new, old)
        judge.add(float(second), new.counters(), old.counters())

    judgement = judge.judge()

    assert judgement.outcome is StageOutcome.ADVANCE
    assert judgement.candidate_requests == 29 * 40
    assert judgement.reference_requests == 29 * 160


def test_a_decision_stays() -> None:
    judge = beside()
    _, decided = first_decided(judge, alike, 30)
    judge.add(31.0, Users(10_000, 10_000).counters(), Users(100_000).counters())

    assert judge.judge() is decided


def after(meet: Second, seconds: int, recorded: int = 60, rate: int = 200) -> Judgement:
    """A bake of `seconds`, the old revision recorded with `rate` requests a second before."""
    new, old = Users(), Users()
    before = []
    for second in range(recorded + 1):
        before.append((100.0 + second, old.counters()))
        old.meet(rate)
    judge = AfterJudge(REGRESSION, before, seconds, stages=2, seed=1)
    judge.add(0.0, new.counters(), old.counters())
    for second in range(1, seconds + 1):
        meet(second, new, old)
        judge.add(float(second), new.counters(), old.counters())
        judgement = judge.judge()
        if judgement.outcome is not StageOutcome.UNDECIDED:
            assert judgement.outcome is StageOutcome.TURN_BACK or second == seconds
            return judgement
    raise AssertionError("a bake ends")


def test_a_bake_of_an_equal_revision_ends_in_advance() -> None:
    assert after(lambda _, new, __: new.meet(200), 130).outcome is StageOutcome.ADVANCE


def test_a_bake_without_users_advances_at_its_end() -> None:
    assert after(lambda *_: None, 30, rate=0).outcome is StageOutcome.ADVANCE


def test_a_bake_turns_back_when_errors_come_late() -> None:
    def late(second: int, new: Users, _: Users) -> None:
        new.meet(200, errors=20 if second > 70 else 0)

    judgement = after(late, 130)

    assert judgement.outcome is StageOutcome.TURN_BACK
    assert judgement.was_shown


def test_a_bake_turns_back_within_seconds_when_everything_fails() -> None:
    judgement = after(lambda _, new, __: new.meet(200, errors=200), 60)

    assert judgement.outcome is StageOutcome.TURN_BACK
    assert judgement.candidate_requests == 400


def test_a_bake_turns_back_for_latencies_far_beyond_the_margin() -> None:
    judgement = after(lambda _, new, __: new.meet(200, milliseconds=60), 60)

    assert judgement.was_shown
    assert "p95" in judgement.reason


def test_a_bake_does_not_blame_the_revision_for_more_load() -> None:
    judgement = after(lambda _, new, __: new.meet(300, milliseconds=60), 60)

    assert judgement.outcome is StageOutcome.ADVANCE
    assert [each.name for each in judgement.conditions] == ["errorRate"]
