import pytest
from pydantic import ValidationError

from tidegate.gate.profile_rules import MINIMUM_BLOCKS
from tidegate.spec.errors import SpecError
from tidegate.spec.traffic import CanaryStep, MaxRegression, SwitchStrategy
from tidegate.traffic.plan import SHORTEST_JUDGED_SECONDS, check_plan, check_rate, plan
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

CANARY = SwitchStrategy(
    strategy="canary",
    steps=(CanaryStep(weight=5, seconds=60), CanaryStep(weight=50, seconds=30)),
    bake_seconds=120,
    patience=4,
    minimum_requests=600,
)


def routes(**weights: int) -> ServiceRoutes:
    return ServiceRoutes("digits", ("digits",), weights, 30)


def test_a_canary_goes_through_its_steps_and_a_bake_to_the_target() -> None:
    stages = plan(routes(old=100), routes(new=100, old=0), CANARY, served_before=False)

    assert [(stage.kind, dict(stage.routes.weights)) for stage in stages] == [
        ("shift", {"new": 5, "old": 95}),
        ("shift", {"new": 50, "old": 50}),
        ("bake", {"new": 100, "old": 0}),
        ("final", {"new": 100, "old": 0}),
    ]
    assert [(stage.minimum_seconds, stage.limit_seconds) for stage in stages] == [
        (60, 240),
        (30, 120),
        (120, 120),
        (0, 0),
    ]


def test_every_stage_has_the_settings_of_the_target_and_keeps_what_is_referenced() -> None:
    target = ServiceRoutes("digits", ("digits", "more"), {"new": 100, "spare": 0}, 7, retries=2)

    stages = plan(routes(old=100, older=0), target, CANARY, served_before=False)

    for stage in stages[:-1]:
        assert stage.routes.models == ("digits", "more")
        assert stage.routes.retries == 2
        assert set(stage.routes.weights) == {"new", "old", "older", "spare"}
        assert sum(stage.routes.weights.values()) == 100
    assert stages[-1].routes == target


def test_all_at_once_is_one_stage_unless_it_bakes() -> None:
    before, target = routes(old=100), routes(new=100, old=0)

    assert [stage.kind for stage in plan(before, target, SwitchStrategy(), False)] == ["final"]
    baked = plan(before, target, SwitchStrategy(bake_seconds=60), False)
    assert [stage.kind for stage in baked] == ["bake", "final"]


@pytest.mark.parametrize(
    ("before", "served_before"),
    [
        (None, False),
        (routes(), False),
        (routes(old=0), False),
        (routes(new=100), False),
        (routes(new=100, old=0), False),
        (routes(old=100), True),
    ],
)
def test_nothing_is_judged_without_a_move_to_something_new(
    before: ServiceRoutes | None, served_before: bool
) -> None:
    target = routes(new=100, old=0)

    (stage,) = plan(before, target, CANARY, served_before)

    assert stage.kind == "final"
    assert stage.routes == target


@pytest.mark.parametrize("share", [5, 50, 75])
def test_a_canary_that_was_killed_begins_again(share: int) -> None:
    before = routes(new=share, old=100 - share)

    stages = plan(before, routes(new=100, old=0), CANARY, served_before=False)

    assert [stage.kind for stage in stages] == ["shift", "shift", "bake", "final"]


def test_a_drain_limit_under_the_longest_stream_is_refused() -> None:
    check_plan(SwitchStrategy(), drain_seconds=30, max_stream_seconds=30)
    check_plan(SwitchStrategy(), drain_seconds=30, max_stream_seconds=None)

    with pytest.raises(SpecError, match="drainSeconds: 46 or more") as refused:
        check_plan(SwitchStrategy(), drain_seconds=30, max_stream_seconds=45.5)

    assert refused.value.field == "drainSeconds"
    assert refused.value.value == 30


def test_a_step_too_short_to_show_anything_is_refused() -> None:
    strategy = SwitchStrategy(
        strategy="canary",
        steps=(CanaryStep(weight=5, seconds=30), CanaryStep(weight=50, seconds=2)),
        patience=5,
    )

    with pytest.raises(SpecError, match="seconds: 3 or more") as refused:
        check_plan(strategy, drain_seconds=30, max_stream_seconds=None)

    assert refused.value.field == "switch.steps.1.seconds"


def test_the_shortest_judged_time_has_the_blocks_that_the_statistics_need() -> None:
    assert SHORTEST_JUDGED_SECONDS == MINIMUM_BLOCKS


@pytest.mark.parametrize("rate", [0.0, 50.0, 500.0])
def test_a_rate_that_is_unknown_or_sufficient_is_accepted(rate: float) -> None:
    check_rate(CANARY, rate)


def test_a_step_without_enough_requests_is_refused_with_what_would_do() -> None:
    with pytest.raises(SpecError) as refused:
        check_rate(CANARY, 20.0)

    assert refused.value.field == "switch.steps.0.seconds"
    assert "20 requests/s, 5% of them for 240 s" in refused.value.why
    assert "are 240 requests" in refused.value.why
    assert refused.value.instead == "seconds: 150 or weight: 13"
    for better in ({"weight": 5, "seconds": 150}, {"weight": 13, "seconds": 60}):
        check_rate(CANARY.model_copy(update={"steps": (CanaryStep(**better),)}), 20.0)


def test_the_old_revision_needs_its_requests_too() -> None:
    late = CANARY.model_copy(update={"steps": (CanaryStep(weight=95, seconds=60),)})

    with pytest.raises(SpecError, match="seconds: 150 or weight: 87"):
        check_rate(late, 20.0)


@pytest.mark.parametrize("quantile", ["95", "p0", "p100", "p", "median", "pnan", "p95%"])
def test_names_that_are_no_quantile_are_refused(quantile: str) -> None:
    with pytest.raises(ValidationError, match="write p50, p95 or p99"):
        MaxRegression(latency={quantile: 0.25})


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan"), float("inf")])
def test_margins_that_nothing_can_be_shown_against_are_refused(margin: float) -> None:
    with pytest.raises(ValidationError):
        MaxRegression(latency={"p95": margin})
    with pytest.raises(ValidationError):
        MaxRegression(error_rate=margin)


def test_a_quantile_needs_requests_beyond_it() -> None:
    regression = MaxRegression(latency={"p99": 0.25})

    with pytest.raises(ValidationError, match="write minimumRequests: 1000"):
        CANARY.model_validate({**CANARY.model_dump(), "max_regression": regression})


def test_latencies_need_a_step_in_which_the_new_revision_carries_no_more() -> None:
    steps = [{"weight": 75, "seconds": 60}]

    with pytest.raises(ValidationError, match="write a first step of at most 50"):
        SwitchStrategy.model_validate({"strategy": "canary", "steps": steps})
    SwitchStrategy.model_validate(
        {"strategy": "canary", "steps": steps, "maxRegression": {"latency": {}}}
    )
