"""`tidegate watch`: what is shown of a service and of its switch, and how it ends."""

import asyncio
import contextlib
import io
import json
import signal
from typing import Any

import pytest
from rich.console import Console

from tests.unit.commands.conftest import Scene
from tidegate.commands.watch_view import document, line, picture
from tidegate.local.service_watch import LocalLooks
from tidegate.spec.traffic import SwitchStrategy
from tidegate.traffic.plan import Stage
from tidegate.traffic.router import UserCounters
from tidegate.traffic.service_watch import RevisionView, ServiceView, ServiceWatch
from tidegate.traffic.switch_documents import (
    ConditionRecord,
    Ending,
    JudgementRecord,
    Override,
    StageProgress,
    SwitchProgress,
)
from tidegate.traffic.switch_history import SwitchPlan
from tidegate.traffic.user_window import UserWindow

pytestmark = pytest.mark.unit

PROGRESS = SwitchProgress(
    service="digits",
    run=3,
    from_revision="digits-1-a",
    to_revision="digits-2-b",
    state="running",
    stage=StageProgress(
        index=1,
        of=3,
        kind="shift",
        weights={"digits-1-a": 95, "digits-2-b": 5},
        started_at="2026-11-22T03:12:00.000Z",
        minimum_seconds=60,
        limit_seconds=300,
        seconds_in=42,
    ),
    judgement=JudgementRecord(
        outcome="undecided",
        reason="not yet",
        conditions=(
            ConditionRecord(
                name="p95", estimate=1.02, lower=0.9, upper=1.1, limit=1.25, outcome="advance"
            ),
        ),
        candidate_requests=312,
        reference_requests=5890,
        candidate_errors=2,
        reference_errors=0,
    ),
    message="step 1 of 3",
)


def view(**changes: Any) -> ServiceView:
    window = UserWindow(10.0, 2000, 30, 0, 1.25, 7.5, None)
    values: dict[str, Any] = {
        "at": "2026-11-22T03:12:42.000Z",
        "service": "digits",
        "revisions": [
            RevisionView("digits-1-a", 95, True, window),
            RevisionView("digits-2-b", 5, False, None),
        ],
        "problem": None,
        "progress": PROGRESS,
        "outcome": None,
        "override": None,
    }
    return ServiceView(**{**values, **changes})


def drawn(shown: ServiceView) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(picture(shown))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_picture_has_weights_numbers_step_and_time_left() -> None:
    text = drawn(view())

    for shown in ("95%", "200", "30 (1.5%)", "7.5", "unhealthy", "step 1 of 3: 5%", "18 s left"):
        assert shown in text
    assert "312 requests met the new one, 2 failed" in text
    assert "shown good" in text


def test_a_step_past_its_time_says_when_doubt_turns_it_back() -> None:
    stage = PROGRESS.stage
    assert stage is not None
    late = PROGRESS.model_copy(update={"stage": stage.model_copy(update={"seconds_in": 250})})

    assert "turns back in 50 s" in drawn(view(progress=late))


def test_a_gateway_that_is_silent_and_a_move_past_the_stack_are_shown() -> None:
    override = Override(
        service="digits", revision="digits-1-a", at="2026-11-22T03:12:00.000Z", by="ada@ops"
    )
    text = drawn(view(revisions=[], progress=None, problem="Envoy is down", override=override))

    assert "Envoy is down" in text
    assert "ada@ops moved the traffic to digits-1-a" in text


def test_a_log_gets_one_line_and_a_machine_gets_the_numbers() -> None:
    assert "digits-1-a 95%: 200/s, 30 (1.5%) errors, p50/p95/p99 1.2/7.5/" in line(view())
    assert "\n" not in line(view())

    data = json.loads(json.dumps(document(view())))
    assert data["revisions"][0]["window"]["p95Milliseconds"] == 7.5
    assert data["revisions"][0]["window"]["requestsPerSecond"] == 200
    assert data["switch"]["stage"]["secondsIn"] == 42


@pytest.fixture
def counted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> dict[str, UserCounters]:
    """What the router counts for each revision."""
    counters = {scene.revision(name): UserCounters(0, 0, 0, ()) for name in ("1", "2")}

    async def user_counters(_self: object, revision: str) -> UserCounters:
        return counters[revision]

    monkeypatch.setattr(type(scene.stack.router()), "user_counters", user_counters)
    return counters


async def looks(scene: Scene, counted: dict[str, UserCounters]) -> list[ServiceView]:
    watch = ServiceWatch("digits", LocalLooks(scene.stack, "digits"))
    found = [await watch.look()]
    await asyncio.sleep(0.05)
    counted[scene.revision("2")] = UserCounters(40, 4, 0, ())
    found.append(await watch.look())
    counted[scene.revision("2")] = UserCounters(3, 1, 0, ())  # Envoy was restarted
    found.append(await watch.look())
    await asyncio.sleep(0.05)
    counted[scene.revision("2")] = UserCounters(5, 1, 0, ())
    return [*found, await watch.look()]


def test_looks_compare_with_earlier_ones_and_begin_anew_with_the_router(
    scene: Scene, counted: dict[str, UserCounters]
) -> None:
    first, second, restarted, after = asyncio.run(looks(scene, counted))

    assert [each.weight for each in first.revisions] == [100, 0]
    assert first.revisions[0].window is None
    window = second.revisions[0].window
    assert window is not None and (window.requests, window.errors) == (40, 4)
    assert restarted.revisions[0].window is None
    last = after.revisions[0].window
    assert last is not None and (last.requests, last.errors) == (2, 0)


@pytest.mark.parametrize(
    ("ending", "code"),
    [(Ending.ADVANCED, 0), (Ending.TURNED_BACK, 1), (Ending.CANCELLED, 4), (Ending.SUPERSEDED, 5)],
)
def test_it_ends_with_the_switch_and_its_outcome(
    scene: Scene,
    counted: dict[str, UserCounters],
    ending: Ending,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    routes = scene.stack.recorded_routes("digits")
    assert routes is not None
    plan = SwitchPlan(
        routes_before=routes,
        stages=(Stage("bake", routes, 1.0, 2.0), Stage("final", routes, 0.0, 0.0)),
        strategy=SwitchStrategy(),
        from_revision=scene.revision("2"),
        to_revision=scene.revision("1"),
        drain_seconds=1.0,
        retry_reason=None,
    )
    scene.stack.conductor.ending = None
    asyncio.run(scene.stack.switches.submit("digits", plan, "root"))
    look, seen = ServiceWatch.look, []

    async def end_after_the_first(self: ServiceWatch) -> ServiceView:
        found = await look(self)
        seen.append(found)
        scene.stack.conductor.ending = ending
        return found

    monkeypatch.setattr(ServiceWatch, "look", end_after_the_first)
    result = scene.run("watch", "digits")

    assert result.exit_code == code, result.output
    assert seen[0].outcome is None
    assert f"the stand-in ends with {ending}" in result.output


@pytest.mark.timeout(20)
def test_it_ends_when_interrupted_though_a_look_swallowed_it(
    scene: Scene, counted: dict[str, UserCounters], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = ServiceWatch.look

    async def interrupted(self: ServiceWatch) -> ServiceView:
        signal.raise_signal(signal.SIGINT)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(10)
        return await look(self)

    monkeypatch.setattr(ServiceWatch, "look", interrupted)

    assert scene.run("watch", "digits").exit_code == 130


def test_an_unknown_service_is_refused(scene: Scene) -> None:
    result = scene.run("watch", "letters")

    assert result.exit_code == 2
    assert "Routed here: digits" in result.output
