from dataclasses import replace

import pytest

from tests.unit.traffic.conducting import (
    ADVANCE,
    BEFORE,
    NEW,
    OLD,
    TARGET,
    TURN_BACK,
    UNDECIDED,
    FakeRouter,
    MemoryRecords,
    Scene,
    ScriptedJudges,
)
from tidegate.spec.traffic import SwitchStrategy
from tidegate.traffic.conductor_parts import Position
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Decision, Ending

pytestmark = pytest.mark.unit

BAKE = SwitchStrategy(bake_seconds=20)
BACK = {OLD: 100}


def kinds(records: MemoryRecords) -> list[str]:
    return [event for event, _ in records.events]


async def test_every_stage_that_is_shown_good_leads_to_the_next() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED, UNDECIDED, ADVANCE], [ADVANCE]))

    outcome = await scene.run()

    assert outcome.ending is Ending.ADVANCED
    assert scene.router.applied == [
        {NEW: 10, OLD: 90},
        {NEW: 50, OLD: 50},
        {NEW: 100, OLD: 0},
    ]
    assert scene.judges.made[0].seconds == pytest.approx([0, 1, 2])
    assert kinds(scene.records)[-1] == "advanced"
    assert scene.records.shown[-1].state == "advanced"


async def test_what_is_shown_says_where_it_is_and_how_long_it_takes() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED, UNDECIDED, ADVANCE], [ADVANCE]))

    await scene.run()

    running = next(each for each in scene.records.shown if each.judgement is not None)
    assert running.stage is not None
    assert (running.stage.index, running.stage.of, running.stage.kind) == (1, 3, "shift")
    assert f"step 1 of 3, 10% to {NEW}: 20 s left" in running.message
    assert "1000 requests with 20 errors" in running.message


@pytest.mark.parametrize("was_shown", [True, False])
async def test_a_judgement_against_it_brings_the_former_routes_back(was_shown: bool) -> None:
    scene = Scene(ScriptedJudges([ADVANCE], [UNDECIDED, TURN_BACK], was_shown=was_shown))

    outcome = await scene.run()

    assert outcome.ending is Ending.TURNED_BACK
    assert outcome.was_shown is was_shown
    assert outcome.stage == 2
    assert scene.router.applied[-1] == BACK
    assert outcome.judgement is not None
    assert outcome.judgement.candidate_errors == 20
    assert kinds(scene.records)[-3:] == ["turningBack", "drained", "turnedBack"]


@pytest.mark.parametrize("reason", [Ending.CANCELLED, Ending.LEASE_LOST])
async def test_a_switch_that_nobody_wants_any_more_turns_back(reason: Ending) -> None:
    scene = Scene(ScriptedJudges([UNDECIDED]))
    scene.at[5.5] = lambda: setattr(scene, "stop", reason)

    outcome = await scene.run()

    assert outcome.ending is reason
    assert not outcome.was_shown
    assert scene.router.applied[-1] == BACK
    assert scene.now < 7


async def test_the_requests_that_met_the_candidate_are_counted() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED, UNDECIDED, UNDECIDED, TURN_BACK]))

    outcome = await scene.run()

    # Four looks, and one at the very end; what was there before the move is not counted.
    assert outcome.candidate_requests == 5 * scene.router.requests_a_look


async def test_a_restarted_gateway_takes_nothing_away_from_the_count() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED, UNDECIDED, UNDECIDED, TURN_BACK]))
    scene.at[1.5] = scene.router.served.clear

    outcome = await scene.run()

    # Four looks, and one at the very end; what was there before the move is not counted.
    assert outcome.candidate_requests == 5 * scene.router.requests_a_look


# -- somebody else ----------------------------------------------------------------------------


async def test_routes_set_by_somebody_else_are_left_alone() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED]))
    scene.at[3.0] = lambda: scene.route_by_hand({OLD: 100, NEW: 0})

    outcome = await scene.run()

    assert outcome.ending is Ending.SUPERSEDED
    assert scene.router.routes == replace(TARGET, weights={OLD: 100, NEW: 0})
    assert scene.router.applied == [{NEW: 10, OLD: 90}]


async def test_a_move_by_hand_to_the_same_routes_ends_the_switch_before_its_next_move() -> None:
    scene = Scene(ScriptedJudges([ADVANCE]), strategy=BAKE)
    scene.at[3.0] = lambda: setattr(scene, "override", OLD)

    outcome = await scene.run()

    assert outcome.ending is Ending.SUPERSEDED
    assert scene.router.applied == []


async def test_files_damaged_meanwhile_are_written_again() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED] * 5 + [ADVANCE], [ADVANCE]))
    scene.at[2.0] = lambda: setattr(scene.router, "files_are_whole", False)

    outcome = await scene.run()

    assert outcome.ending is Ending.ADVANCED
    assert scene.router.applied[:2] == [{NEW: 10, OLD: 90}] * 2


# -- a data plane in trouble ------------------------------------------------------------------


async def test_a_router_that_is_silent_for_a_while_is_waited_for() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED] * 3 + [ADVANCE], [ADVANCE]))
    scene.at[1.0] = lambda: setattr(scene.router, "silent_until", 21.0)

    outcome = await scene.run()

    assert outcome.ending is Ending.ADVANCED
    assert any("waiting for the router" in each.message for each in scene.records.shown)


@pytest.mark.parametrize("before", [BEFORE, None])
async def test_a_move_whose_answer_was_lost_is_still_this_runs_own(
    before: ServiceRoutes | None,
) -> None:
    judges, router = ScriptedJudges([ADVANCE], [ADVANCE]), FakeRouter(before)
    scene = Scene(judges, before=before, router=router)
    router.answers_to_lose = 2

    outcome = await scene.run()

    assert outcome.ending is Ending.ADVANCED
    assert router.routes == TARGET


async def test_a_router_that_stays_silent_turns_back_as_soon_as_it_answers() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED]))
    scene.at[1.0] = lambda: setattr(scene.router, "silent_until", 45.0)

    outcome = await scene.run()

    assert outcome.ending is Ending.TURNED_BACK
    assert "the router was silent" in outcome.reason
    assert scene.router.applied[-1] == BACK


async def test_when_it_cannot_even_turn_back_its_successor_does() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED]))
    scene.at[1.0] = lambda: setattr(scene.router, "silent_until", 300.0)
    with pytest.raises(RouterError):
        await scene.run()
    assert scene.records.decision is not None

    scene.router.silent_until = 0
    scene.position = Position(stage=0, resumed=True, decision=scene.records.decision)
    outcome = await scene.run()

    assert outcome.ending is Ending.TURNED_BACK
    assert scene.router.routes == BEFORE


async def test_a_candidate_that_stays_unhealthy_is_left_without_being_blamed() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED]))
    scene.at[2.0] = lambda: scene.router.unhealthy.add(NEW)

    outcome = await scene.run()

    assert outcome.ending is Ending.TURNED_BACK
    assert "health checks" in outcome.reason
    assert not outcome.was_shown
    assert scene.now < 10


async def test_a_server_that_is_back_soon_turns_nothing_back() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED] * 8 + [ADVANCE], [ADVANCE]))
    scene.at[2.0] = lambda: scene.router.unhealthy.add(NEW)
    scene.at[5.0] = lambda: scene.router.unhealthy.clear()

    assert (await scene.run()).ending is Ending.ADVANCED


async def test_going_back_waits_a_moment_for_the_former_revision() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED, TURN_BACK]))
    scene.router.unhealthy.add(OLD)
    scene.at[4.0] = lambda: scene.router.unhealthy.clear()

    await scene.run()

    assert scene.router.routes == BEFORE
    assert scene.now >= 4.0


# -- started again ----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [{NEW: 50, OLD: 50}, {NEW: 10, OLD: 90}])
async def test_a_successor_goes_on_with_the_stage_on_a_new_sample(weights: dict[str, int]) -> None:
    """Killed in the second stage: after its move, or before it."""
    scene = Scene(ScriptedJudges([UNDECIDED, ADVANCE]))
    scene.router.routes = replace(TARGET, weights=weights)
    scene.position = Position(stage=1, resumed=True, candidate_requests=400)

    outcome = await scene.run()

    assert outcome.ending is Ending.ADVANCED
    assert scene.router.applied == [{NEW: 50, OLD: 50}, {NEW: 100, OLD: 0}]
    assert outcome.candidate_requests > 400


async def test_a_successor_leaves_routes_alone_that_are_not_the_switchs() -> None:
    scene = Scene(ScriptedJudges([ADVANCE]))
    scene.router.routes = replace(TARGET, weights={OLD: 100, NEW: 0})
    scene.position = Position(stage=1, resumed=True)

    assert (await scene.run()).ending is Ending.SUPERSEDED
    assert scene.router.applied == []


async def test_a_decision_to_go_back_is_kept_before_anything_moves() -> None:
    """Killed after the former routes were back: the successor must not begin again."""
    scene = Scene(ScriptedJudges())
    decision = Decision(ending=Ending.TURNED_BACK, reason="it was worse", was_shown=True, stage=1)
    scene.position = Position(stage=0, resumed=True, decision=decision)

    outcome = await scene.run()

    assert (outcome.ending, outcome.reason) == (Ending.TURNED_BACK, "it was worse")
    assert scene.router.routes == BEFORE


# -- bake and drain ---------------------------------------------------------------------------


async def test_before_a_move_at_once_the_former_revision_is_recorded() -> None:
    scene = Scene(ScriptedJudges([UNDECIDED, ADVANCE]), strategy=BAKE)

    outcome = await scene.run()

    assert outcome.ending is Ending.ADVANCED
    assert len(scene.judges.before) == pytest.approx(20, abs=1)
    assert scene.router.applied == [{NEW: 100, OLD: 0}, {NEW: 100, OLD: 0}]


async def test_after_steps_the_bake_is_compared_with_what_they_recorded() -> None:
    strategy = SwitchStrategy.model_validate(
        {"strategy": "canary", "steps": [{"weight": 50}], "bakeSeconds": 30}
    )
    scene = Scene(ScriptedJudges([UNDECIDED] * 9 + [ADVANCE], [TURN_BACK]), strategy=strategy)

    outcome = await scene.run()

    assert outcome.ending is Ending.TURNED_BACK
    assert len(scene.judges.before) == 10
    assert scene.records.kept == scene.judges.before
    assert scene.router.routes == BEFORE


async def test_what_is_still_open_at_the_limit_is_told_by_protocol() -> None:
    scene = Scene(ScriptedJudges([ADVANCE], [ADVANCE]))
    scene.router.active[OLD] = 3

    outcome = await scene.run()

    assert outcome.drained is not None
    assert outcome.drained.revision == OLD
    assert outcome.drained.open_requests == {"http": 3, "grpc": 0}
    assert outcome.drained.seconds >= 5


async def test_the_first_routes_of_a_service_are_made_and_nothing_is_drained() -> None:
    scene = first_deployment()

    outcome = await scene.run()

    assert outcome.ending is Ending.ADVANCED and outcome.drained is None
    assert scene.router.routes == TARGET


async def test_first_routes_that_somebody_else_has_made_stay() -> None:
    scene = first_deployment()
    scene.router.routes = BEFORE

    outcome = await scene.run()

    assert outcome.ending is Ending.SUPERSEDED
    assert scene.router.routes == BEFORE


async def test_first_routes_that_are_not_confirmed_are_withdrawn() -> None:
    scene = first_deployment()
    scene.router.routes = TARGET  # of a process whose confirmation was lost
    decided = Decision(ending=Ending.TURNED_BACK, reason="silent", was_shown=False, stage=1)
    scene.position = Position(resumed=True, decision=decided)

    outcome = await scene.run()

    assert outcome.ending is Ending.TURNED_BACK
    assert scene.router.routes is None


async def test_another_standby_moves_no_traffic_and_drains_nobody() -> None:
    scene = Scene(
        ScriptedJudges(),
        before=replace(TARGET, weights={NEW: 100}),
        from_revision=NEW,
        router=FakeRouter(replace(TARGET, weights={NEW: 100})),
    )
    scene.router.active[NEW] = 7

    outcome = await scene.run()

    assert outcome.ending is Ending.ADVANCED and outcome.drained is None
    assert scene.router.routes == TARGET


def first_deployment() -> Scene:
    return Scene(ScriptedJudges(), before=None, from_revision=NEW, router=FakeRouter(None))
