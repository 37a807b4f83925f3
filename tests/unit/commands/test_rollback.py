"""`tidegate rollback`: the file alone, or the traffic first."""

import json
from collections.abc import Mapping

import pytest

from tests.unit.commands.conftest import Scene
from tidegate.gate.clock import utc_now
from tidegate.gate.verdict import Outcome
from tidegate.local import takeover
from tidegate.traffic.router import RoutesChangedError
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.takeover import full_weight_to

pytestmark = pytest.mark.unit

TWO_LIVE: Mapping[str, int] = {"1": 0, "2": 100}
ONE_LIVE: Mapping[str, int] = {"1": 100, "2": 0}


def test_without_now_only_the_file_changes_and_the_next_step_is_said(scene: Scene) -> None:
    result = scene.run("rollback", "digits")

    assert result.exit_code == 0, result.output
    assert scene.declared == ("digits@1", "digits@2")
    assert scene.weights() == TWO_LIVE
    assert "pulumi up --stack test" in result.output
    assert "release: digits@1" in result.output


def test_now_moves_the_traffic_proves_it_and_leaves_word(scene: Scene) -> None:
    result = scene.run("rollback", "digits", "--now", "--no-up")

    assert result.exit_code == 0, result.output
    assert scene.weights() == ONE_LIVE
    assert scene.declared == ("digits@1", "digits@2")
    assert f"{takeover.PROOF_ANSWERS} answers in a row" in result.output
    folder = scene.stack.switches.folder("digits")
    override = folder.override()
    assert override is not None and override.revision == scene.revision("1")
    assert folder.events()[-1]["weights"] == {scene.revision("1"): 100, scene.revision("2"): 0}
    said = scene.run("history", "digits").output
    assert "ROLLBACK --now" in said and scene.revision("1") in said
    status = json.loads(scene.run("status", "--json").output)
    assert status["switches"][0]["override"]["revision"] == scene.revision("1")


def test_now_takes_the_traffic_from_a_canary(scene: Scene) -> None:
    scene.route(_1=95, _2=5)

    assert scene.run("rollback", "digits", "--now", "--no-up").exit_code == 0
    assert scene.weights() == ONE_LIVE


def test_somebody_who_moves_in_the_same_moment_is_overruled(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = type(scene.stack.router())
    apply = router.apply
    moved: list[ServiceRoutes] = []

    async def changed_first(
        self: object, routes: ServiceRoutes, replacing: ServiceRoutes | None = None
    ) -> None:
        if not moved:
            moved.append(routes)
            raise RoutesChangedError("a conductor was faster")
        await apply(self, routes, replacing)  # type: ignore[arg-type]

    monkeypatch.setattr(router, "apply", changed_first)
    assert scene.run("rollback", "digits", "--now", "--no-up").exit_code == 0
    assert scene.weights() == ONE_LIVE


def test_nobody_stays_on_what_is_left_in_an_emergency() -> None:
    weights = {"a-1": 5, "a-2": 95, "a-3": 0}
    routes = ServiceRoutes("a", ("a",), weights, 30.0, finishing=("a-2",))

    moved = full_weight_to(routes, "a-1")

    assert moved.weights == {"a-1": 100, "a-2": 0, "a-3": 0}
    assert moved.finishing == ()


def test_answers_of_another_revision_are_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "PROOF_SECONDS", 0.2)
    scene.users.answers_from = "digits-2-stale"

    result = scene.run("rollback", "digits", "--now", "--no-up")

    assert result.exit_code == 3
    assert "NOT PROVEN" in result.output and "digits-2-stale" in result.output


def test_a_second_rollback_does_not_undo_the_first(scene: Scene) -> None:
    assert scene.run("rollback", "digits", "--now", "--no-up").exit_code == 0

    again = scene.run("rollback", "digits", "--now", "--no-up")

    assert again.exit_code == 2
    assert "tidegate promote digits digits@2 --up" in again.output
    assert (scene.weights(), scene.declared) == (ONE_LIVE, ("digits@1", "digits@2"))


def test_a_file_that_runs_ahead_is_no_reason_to_move(scene: Scene) -> None:
    """The file names a release that is not live, and the standby is what serves."""
    scene.route(_1=100, _2=0)

    result = scene.run("rollback", "digits", "--now")

    assert result.exit_code == 2
    assert "--standby keep --up" in result.output
    assert (scene.weights(), scene.declared) == (ONE_LIVE, ("digits@2", "digits@1"))


def refuse_gate(scene: Scene) -> None:
    verdict = scene.stack.folder.gate(scene.revision("1")) / "runs" / "001" / "verdict.json"
    verdict.write_text(verdict.read_text().replace(Outcome.PASS.value, Outcome.FAIL.value))


def refuse_health(scene: Scene) -> None:
    scene.stack.envoy.unhealthy.add(scene.revision("1"))


def refuse_standby(scene: Scene) -> None:
    scene.declare("digits@2", None)


def refuse_routes(scene: Scene) -> None:
    scene.stack.envoy.accepts_routes = False


@pytest.mark.parametrize(
    ("refuse", "said"),
    [
        (refuse_gate, "its gate has not passed here"),
        (refuse_health, "unhealthy"),
        (refuse_standby, "no standby"),
        (refuse_routes, "Envoy refused the new routes"),
    ],
)
def test_what_cannot_work_changes_nothing(scene: Scene, refuse: object, said: str) -> None:
    assert callable(refuse)
    refuse(scene)
    declared = scene.declared

    result = scene.run("rollback", "digits", "--now")

    assert result.exit_code == 2
    assert said in result.output
    assert (scene.weights(), scene.declared) == (TWO_LIVE, declared)
    assert scene.stack.switches.folder("digits").override() is None


def test_history_tells_only_of_the_time_that_is_asked_for(scene: Scene) -> None:
    folder = scene.stack.switches.folder("digits")
    old = {"at": "2020-01-01T03:12:00.000Z", "event": "moved", "message": "long ago"}
    folder.note("moved", "just now", user="root", at=utc_now())
    with folder.journal_path.open("a") as stream:
        stream.write(json.dumps(old) + "\n")

    recent = scene.run("history", "digits", "--since", "1h").output
    assert "just now" in recent and "long ago" not in recent
    everything = [
        json.loads(line) for line in scene.run("history", "digits", "--json").output.splitlines()
    ]
    assert [each["message"] for each in everything] == ["just now", "long ago"]
    assert scene.run("history", "digits", "--since", "soon").exit_code == 2
    unknown = scene.run("history", "letters")
    assert unknown.exit_code == 2 and "digits" in unknown.output
