"""The commands for a stack on a cluster: what they tell, what they move, what they refuse."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cluster.api_server import status
from tests.unit.cluster.examples import gate_request
from tests.unit.commands.cluster_scene import (
    ONE,
    TWO,
    TWO_CHANGED,
    ClusterScene,
    make_scene,
    pass_gate,
    routes,
)
from tests.unit.provider.kubernetes.runners import until
from tidegate.cluster import names
from tidegate.cluster.endpoints import count_ready
from tidegate.cluster.kinds import GATEWAY, HTTP_ROUTE, JOB
from tidegate.commands import pulumi_update, watch
from tidegate.commands.kubernetes import asked_switches, service_watch
from tidegate.commands.kubernetes.revisions import release_in, revisions_named
from tidegate.commands.kubernetes.settings import (
    ClusterSettings,
    cluster_settings,
    kubeconfig_of,
    runner_image_of,
)
from tidegate.commands.kubernetes.takeover import ClusterTakeover
from tidegate.gate.verdict import Outcome
from tidegate.records.gate_documents import GateProgress
from tidegate.records.gates import GateRecords
from tidegate.spec.errors import SpecError
from tidegate.stack_file import ServiceReleases, StackFile
from tidegate.traffic.switch_documents import Ending, Override

pytestmark = pytest.mark.unit

TWO_LIVE: Mapping[str, int] = {ONE: 0, TWO: 100}
ONE_LIVE: Mapping[str, int] = {ONE: 100, TWO: 0}
SETTINGS = ClusterSettings(namespace="team-a", runner_image="runner:1", evidence="s3://evidence")
OTHER = Override(service="digits", revision=TWO, at="2026-11-23T01:00:00Z", by="bob@ops")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterScene:
    monkeypatch.setattr(asked_switches, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.05)
    return make_scene(tmp_path / "project", monkeypatch)


def lines_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in output.splitlines()]


def override_of(scene: ClusterScene) -> Override | None:
    found: Override | None = scene.on_records(lambda records: records.override("digits"))
    return found


# -- status ---------------------------------------------------------------------------------------


def test_status_tells_roles_pods_requests_and_verdicts(scene: ClusterScene) -> None:
    scene.serve(TWO, ready=2, replicas=3)

    result = scene.run("status", "--json")

    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["gateway"] == "team-a/tidegate at 192.0.2.7, port 80"
    live, standby = found["revisions"]
    assert (live["revision"], live["release"], live["role"]) == (TWO, "2", "live")
    assert (live["servers_ready"], live["servers"], live["weight"]) == (2, 3, 100)
    assert (live["gate"], live["requests_per_second"]) == ("PASS", 40)
    assert (standby["revision"], standby["role"]) == (ONE, "standby")
    assert "2/3" in scene.run("status").output


def test_status_names_the_right_that_users_numbers_take(scene: ClusterScene) -> None:
    scene.is_forbidden = True

    result = scene.run("status")

    assert result.exit_code == 0
    assert 'cannot get resource "pods/proxy"' in result.output
    assert "healthy" in result.output


def test_status_fails_when_users_cannot_be_served(scene: ClusterScene) -> None:
    scene.serve(TWO, ready=0)
    assert scene.run("status").exit_code == 1

    scene.serve(TWO, ready=1)
    gateway = scene.api.get(GATEWAY.plural, "tidegate")
    no_address = {"type": "Programmed", "status": "False", "message": "no address yet"}
    gateway["status"] = {"conditions": [no_address]}
    result = scene.run("status")
    assert result.exit_code == 1
    assert "not serving" in result.output and "no address yet" in result.output


def test_status_tells_what_is_under_way(scene: ClusterScene) -> None:
    scene.serve(ONE, ready=0, replicas=0)
    scene.runners.verdicts = [None]
    asyncio.run(start_gate(scene, TWO))
    scene.submit(routes(one=0, two=100), routes(one=100, two=0), ONE)
    scene.on_records(lambda records: records.write_override(OTHER))

    output = scene.run("status").output

    assert "switch of digits, run 2 to digits-1-aaaaaaaa begins" in output
    assert "bob@ops moved the traffic to digits-2-bbbbbbbb" in output
    assert "running" in output and "100 of 300 sent" in output
    assert "cold" in output


async def start_gate(scene: ClusterScene, revision: str) -> None:
    """A gate that has sent a part of its load."""
    gates, cluster = GateRecords(scene.api.cluster()), scene.api.cluster()
    run = await gates.submit(gate_request(revision), b"golden")
    labels = names.labels("digits", revision, job="gate")
    meta = {"name": "gate-1", "labels": labels, "annotations": {names.RUN_ANNOTATION: run.name}}
    await cluster.create(JOB, {"metadata": meta})
    progress = GateProgress(at="2026-11-23T02:00:00Z", event="progress", message="100 of 300 sent")
    await gates.show(run.name, progress)


# -- rollback -------------------------------------------------------------------------------------


def test_now_has_a_job_move_the_traffic_and_leaves_word(scene: ClusterScene) -> None:
    result = scene.run("rollback", "digits", "--now", "--no-up")

    assert result.exit_code == 0, result.output
    assert f"All traffic of digits goes to {ONE}: moved in" in result.output
    assert "every Envoy has answered" in result.output
    assert scene.weights() == ONE_LIVE
    assert scene.declared == ("digits@1", "digits@2")
    (asked,) = scene.runners.switches
    assert (asked.from_revision, asked.to_revision) == (TWO, ONE)
    assert (asked.strategy.bake_seconds, asked.drain_seconds) == (60, 7), "as the engine asked last"
    override = override_of(scene)
    assert override is not None and override.revision == ONE
    told = scene.run("history", "digits").output
    assert "ROLLBACK --now" in told and "asked for" in told


def test_somebody_who_moves_in_the_same_moment_is_overruled(scene: ClusterScene) -> None:
    scene.runners.endings = [Ending.SUPERSEDED, Ending.ADVANCED]

    result = scene.run("rollback", "digits", "--now", "--no-up")

    assert result.exit_code == 0, result.output
    assert "asking again" in result.output
    assert len(scene.runners.switches) == 2 and scene.weights() == ONE_LIVE


def test_a_canary_under_way_is_left_to_find_out(scene: ClusterScene) -> None:
    """Its conductor stops at the override; nobody waits for it."""
    scene.runners.route(routes(one=70, two=30))
    canary = scene.submit(routes(one=100), routes(one=0, two=100), TWO)

    assert scene.run("rollback", "digits", "--now", "--no-up").exit_code == 0

    assert scene.weights() == ONE_LIVE
    assert scene.on_records(lambda records: records.run(canary)).outcome is None
    assert scene.runners.switches[-1].from_revision == TWO


def test_a_canary_between_two_revisions_of_what_is_left_holds_nothing_up(
    scene: ClusterScene,
) -> None:
    """digits@2 was declared with other probes, and that is what goes badly."""
    scene.runners.route(routes(one=0, two=70, changed=30))

    result = scene.run("rollback", "digits", "--now", "--no-up")

    assert result.exit_code == 0, result.output
    assert scene.weights() == {ONE: 100, TWO: 0, TWO_CHANGED: 0}
    assert scene.declared == ("digits@1", "digits@2")


def test_which_of_two_revisions_is_to_take_the_traffic_is_not_guessed(scene: ClusterScene) -> None:
    scene.declare("digits@1", "digits@2")
    before = routes(one=40, two=60, changed=0)
    scene.runners.route(before)

    result = scene.run("rollback", "digits", "--now")

    assert result.exit_code == 2
    assert f"the routes lead to several revisions of it: {TWO}, {TWO_CHANGED}" in result.output
    assert scene.weights() == before.weights and scene.declared == ("digits@1", "digits@2")


def test_a_second_rollback_does_not_undo_the_first(scene: ClusterScene) -> None:
    assert scene.run("rollback", "digits", "--now", "--no-up").exit_code == 0

    again = scene.run("rollback", "digits", "--now", "--no-up")

    assert again.exit_code == 2
    assert "tidegate promote digits digits@2 --up" in again.output
    assert scene.weights() == ONE_LIVE


def test_a_stack_that_leaves_its_evidence_to_the_clusters_bucket(scene: ClusterScene) -> None:
    scene.declare("digits@2", "digits@1", evidence=None)

    result = scene.run("rollback", "digits", "--now", "--no-up")

    assert result.exit_code == 0, result.output
    assert scene.weights() == ONE_LIVE


def refuse_gate(scene: ClusterScene) -> None:
    asyncio.run(pass_gate(scene.api, ONE, Outcome.FAIL))


def refuse_pods(scene: ClusterScene) -> None:
    scene.serve(ONE, ready=0)


def refuse_routes(scene: ClusterScene) -> None:
    scene.runners.endings = [Ending.TURNED_BACK]


def refuse_evidence(scene: ClusterScene) -> None:
    turned = scene.submit(routes(two=100), routes(one=100, two=0), ONE)
    scene.end(turned, Ending.TURNED_BACK, was_shown=True)


def refuse_job(scene: ClusterScene) -> None:
    scene.api.unknown_plurals = {"jobs"}


def refuse_standby(scene: ClusterScene) -> None:
    scene.declare("digits@2", None)


def refuse_service(scene: ClusterScene) -> None:
    scene.stack_file.write_text(scene.stack_file.read_text().replace("digits:", "letters:"))


@pytest.mark.parametrize(
    ("refuse", "said"),
    [
        (refuse_gate, "its gate has not passed here"),
        (refuse_pods, "none of its pods is ready"),
        (refuse_routes, "the runner ends with turnedBack"),
        (refuse_evidence, "it was turned back at"),
        (refuse_job, "does not know the kind Job"),
        (refuse_standby, "no standby"),
        (refuse_service, "declares no such service"),
    ],
)
def test_what_cannot_work_changes_nothing(
    scene: ClusterScene, refuse: Callable[[ClusterScene], None], said: str
) -> None:
    refuse(scene)
    text = scene.stack_file.read_text()

    result = scene.run("rollback", "digits", "--now")

    assert result.exit_code == 2, result.output
    assert said in result.output
    assert scene.weights() == TWO_LIVE
    assert scene.stack_file.read_text() == text
    scene.api.unknown_plurals = set()
    assert override_of(scene) is None
    assert scene.on_records(lambda records: records.unfinished("digits")) is None


def test_a_move_that_fails_leaves_the_override_of_an_earlier_one(scene: ClusterScene) -> None:
    scene.on_records(lambda records: records.write_override(OTHER))
    scene.runners.endings = [Ending.TURNED_BACK]

    assert scene.run("rollback", "digits", "--now").exit_code == 2
    assert override_of(scene) == OTHER


def test_a_job_that_does_not_begin_is_taken_back(
    scene: ClusterScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_switches, "BEGIN_SECONDS", 0.1)
    scene.api.controller = lambda _plural, _written: None

    result = scene.run("rollback", "digits", "--now")

    assert result.exit_code == 2
    assert "in 0.1 s it did not begin" in result.output
    assert scene.weights() == TWO_LIVE and override_of(scene) is None
    assert not [each for each in scene.runners.jobs() if each.startswith("switch-")]
    assert scene.on_records(lambda records: records.unfinished("digits")) is None


def test_a_command_that_is_interrupted_takes_back_what_it_asked_for(scene: ClusterScene) -> None:
    scene.runners.endings = [None]

    asyncio.run(interrupted(scene))

    assert scene.weights() == TWO_LIVE and override_of(scene) is None
    assert scene.on_records(lambda records: records.unfinished("digits")) is None


async def interrupted(scene: ClusterScene) -> None:
    takeover = ClusterTakeover(scene.api.cluster(), SETTINGS, "digits", ONE, "ann@ops")

    asked = asyncio.create_task(takeover.carry_out(lambda _words: None))
    await until(lambda: scene.runners.switches)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked


@pytest.mark.parametrize("is_down", [True, False])
def test_an_api_server_that_is_silent_or_fails_for_a_moment_is_waited_for(
    scene: ClusterScene, monkeypatch: pytest.MonkeyPatch, is_down: bool
) -> None:
    failed = (500, status(500, "InternalError", "etcdserver: leader changed"))
    scene.runners.endings = [None]
    slept: list[float] = []
    really_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            await really_sleep(seconds)  # a server that other tests share
            return
        slept.append(seconds)
        scene.api.is_down = is_down and len(slept) < 3
        scene.api.refusals = [failed] if not is_down and len(slept) < 3 else []
        if len(slept) == 4:
            scene.runners.end_running(Ending.ADVANCED)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    result = scene.run("rollback", "digits", "--now", "--no-up")

    assert result.exit_code == 0, result.output
    assert scene.weights() == ONE_LIVE


def test_a_standby_that_takes_the_traffic_already_is_left_there(scene: ClusterScene) -> None:
    """The file names a release that is not live, and the standby is what serves."""
    scene.runners.route(routes(one=100, two=0))

    result = scene.run("rollback", "digits", "--now")

    assert result.exit_code == 2
    assert "tidegate promote digits digits@2 --standby keep --up" in result.output
    assert scene.runners.switches == []


# -- history, watch, promote ----------------------------------------------------------------------


def test_history_tells_of_switches_and_gates(scene: ClusterScene) -> None:
    scene.runners.verdicts = [None]
    asyncio.run(start_gate(scene, TWO))

    told = [
        json.loads(each)
        for each in scene.run("history", "digits", "--json").output.split("\n")
        if each
    ]

    assert {"submitted", "gate"} <= {each["event"] for each in told}
    assert [each["at"] for each in told] == sorted(each["at"] for each in told)
    assert "100 of 300 sent" in scene.run("history", "digits").output
    unknown = scene.run("history", "letters")
    assert unknown.exit_code == 2 and "There is one of: digits" in unknown.output


def test_watch_follows_a_switch_to_its_outcome(
    scene: ClusterScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scene.submit(routes(one=0, two=100), routes(one=100, two=0), ONE)
    look, seen = service_watch.ClusterLooks.look, []

    async def end_after_the_second(self: service_watch.ClusterLooks) -> object:
        found = await look(self)
        seen.append(found)
        if len(seen) == 2:
            await asyncio.to_thread(scene.end, run, Ending.TURNED_BACK)
        return found

    monkeypatch.setattr(service_watch.ClusterLooks, "look", end_after_the_second)
    result = scene.run("watch", "digits", "--json")

    assert result.exit_code == 1, result.output
    first, second, last = lines_of(result.output)
    assert first["revisions"][0]["revision"] == TWO and first["revisions"][0]["window"] is None
    assert second["revisions"][0]["window"]["requests"] == 40
    assert last["outcome"]["ending"] == "turnedBack"


def test_watch_asks_for_forbidden_numbers_once(
    scene: ClusterScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.is_forbidden = True
    run = scene.submit(routes(one=0, two=100), routes(one=100, two=0), ONE)
    look, seen = service_watch.ClusterLooks.look, []

    async def end_after_the_second(self: service_watch.ClusterLooks) -> object:
        found = await look(self)
        seen.append(found)
        if len(seen) == 2:
            await asyncio.to_thread(scene.end, run, Ending.ADVANCED)
        return found

    monkeypatch.setattr(service_watch.ClusterLooks, "look", end_after_the_second)
    result = scene.run("watch", "digits")

    assert result.exit_code == 0, result.output
    assert scene.asked_envoy == 1
    assert result.output.count('cannot get resource "pods/proxy"') == 3
    assert f"{TWO} 100%" in result.output


def test_promote_knows_of_a_gate_that_has_passed(scene: ClusterScene) -> None:
    known = scene.run("promote", "digits", "1")
    assert f"({ONE}; its gate has passed here)" in known.output

    scene.api.objects = {key: each for key, each in scene.api.objects.items() if ONE not in key[2]}
    scene.runners.route(routes(two=100))
    scene.declare("digits@2", None)
    new = scene.run("promote", "digits", "1")
    assert new.exit_code == 0 and "(`pulumi up` runs its gate first)" in new.output


def test_promote_leaves_a_release_of_which_two_revisions_are_routed(scene: ClusterScene) -> None:
    scene.runners.route(routes(one=0, two=70, changed=30))

    result = scene.run("promote", "digits", "1")

    assert result.exit_code == 0, result.output
    assert f"({ONE}; its gate has passed here)" in result.output


# -- which cluster, which revision ----------------------------------------------------------------


def test_commands_of_one_machine_say_so(scene: ClusterScene) -> None:
    for command in (("doctor",), ("predict", "digits")):
        result = scene.run(*command)
        assert result.exit_code == 2 and "is on a cluster" in result.output


def test_a_stack_file_without_a_key_and_an_unreachable_cluster_are_named(
    scene: ClusterScene,
) -> None:
    scene.api.is_down = True
    down = scene.run("status")
    assert down.exit_code == 2
    assert "https://api.test:6443 does not answer" in down.output

    scene.declare("digits@2", "digits@1", namespace=None)
    wrong = scene.run("status")
    assert wrong.exit_code == 2
    assert "tidegate:platform.kubernetes: namespace: None cannot work" in wrong.output


def test_rights_that_are_missing_are_named(scene: ClusterScene) -> None:
    said = 'configmaps is forbidden: User "ann" cannot list resource "configmaps"'
    body = json.dumps({"kind": "Status", "message": said, "reason": "Forbidden"})
    scene.api.refusals = [(403, body)]

    result = scene.run("status")

    assert result.exit_code == 2
    assert 'cannot list resource "configmaps"' in result.output


@pytest.mark.parametrize(
    ("cluster", "own", "asked"),
    [
        ({}, False, None),
        ({}, True, "test"),
        ({"clusterStack": "org/infra/prod"}, False, "org/infra/prod"),
    ],
)
def test_the_kubeconfig_is_a_file_or_an_output_of_the_stack_that_made_the_cluster(
    scene: ClusterScene,
    monkeypatch: pytest.MonkeyPatch,
    cluster: dict[str, str],
    own: bool,
    asked: str | None,
) -> None:
    def output(engine: pulumi_update.Engine, name: str) -> str:
        return f"{name} of {engine.stack}"

    monkeypatch.setattr(pulumi_update.Engine, "output", output)
    scene.declare("digits@2", None, **cluster)
    if own:
        scene.stack_file.write_text(scene.stack_file.read_text() + "  tidegate:cluster: {}\n")
    file = StackFile.load(scene.stack_file)

    found = kubeconfig_of(cluster_settings(file), file, scene.root, "test")

    expected = f"kubeconfig of {asked}" if asked else str(scene.root / "kubeconfig.json")
    assert found == expected


@pytest.mark.parametrize(
    ("image", "cluster", "expected"),
    [
        ("runner@sha256:5", {"clusterStack": "org/infra/prod"}, "registryUrl of org/infra/prod/"),
        ("registry.test/runner@sha256:5", {"clusterStack": "org/infra/prod"}, ""),
        ("runner@sha256:5", {}, ""),
    ],
)
def test_the_runners_image_is_in_the_registry_of_the_cluster(
    scene: ClusterScene,
    monkeypatch: pytest.MonkeyPatch,
    image: str,
    cluster: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.setattr(
        pulumi_update.Engine, "output", lambda engine, name: f"{name} of {engine.stack}"
    )
    scene.declare("digits@2", None, runnerImage=image, **cluster)
    file = StackFile.load(scene.stack_file)

    found = runner_image_of(cluster_settings(file), file, scene.root, "test")

    assert found == f"{expected}{image}"


@pytest.mark.parametrize(
    ("routed", "gated", "found"),
    [
        ([TWO, ONE], [TWO, TWO_CHANGED], [TWO, ONE]),
        ([ONE], [TWO], [TWO, ONE]),
        ([ONE], [TWO, TWO_CHANGED], [None, ONE]),
        ([], ["digits-2-fast-bbbbbbbb", "digits-1-aaaaaaaa"], [None, ONE]),
        ([TWO, ONE, "digits-1-dddddddd"], [ONE], [TWO, None]),
    ],
)
def test_a_release_is_the_revision_that_is_routed(
    routed: list[str], gated: list[str], found: list[str | None]
) -> None:
    releases = ServiceReleases("digits@2", "digits@1")

    assert revisions_named("digits", releases, routed, gated) == found


def test_a_release_that_is_to_take_the_traffic_is_one_revision() -> None:
    with pytest.raises(SpecError, match=r"digits-2-bbbbbbbb, digits-2-cccccccc"):
        revisions_named("digits", ServiceReleases("digits@2", None), [TWO, TWO_CHANGED], [])


def test_a_release_may_have_dashes() -> None:
    assert release_in("digits", "digits-2-fast-bbbbbbbb") == "digits@2-fast"


def test_a_pod_with_two_addresses_counts_once() -> None:
    def slice_of(address: str, **conditions: bool) -> dict[str, object]:
        endpoint = {"addresses": [address], "targetRef": {"uid": "a"}, "conditions": conditions}
        labels = {"kubernetes.io/service-name": ONE}
        return {"metadata": {"labels": labels}, "endpoints": [endpoint]}

    assert count_ready([slice_of("10.0.0.1"), slice_of("fd00::1")]) == {ONE: 1}
    assert count_ready([slice_of("10.0.0.1", ready=False)]) == {}


def test_routes_edited_by_hand_are_told(scene: ClusterScene) -> None:
    scene.api.get(HTTP_ROUTE.plural, "digits")["spec"]["hostnames"] = ["other.test"]

    assert "HTTPRoute digits was edited past tidegate" in scene.run("status").output
