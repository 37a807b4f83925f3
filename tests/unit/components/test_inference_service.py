"""The edges that make the engine's order a promotion."""

import dataclasses
from pathlib import Path

import pulumi
import pytest

from tests.unit.components.examples import platform_arguments, revision, service_arguments
from tests.unit.components.recording import Recording, record
from tidegate.local.platform import LocalPlatformArgs
from tidegate.serving import InferenceService
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Release
from tidegate.spec.traffic import Affinity, SwitchStrategy

pytestmark = pytest.mark.unit

LIVE, STANDBY = revision("1").id, revision("2").id


def made(standby: str | None = "2") -> Recording:
    return record(lambda: InferenceService("digits", service_arguments(standby)))


def test_everything_of_a_slot_is_named_after_its_revision() -> None:
    recording = made()

    for kind in ("TritonServer", "LoadTestGate", "TrafficHold"):
        names = {each.name for each in recording.resources if each.type == f"tidegate:index:{kind}"}
        assert names == {LIVE, STANDBY}


def test_a_model_that_no_server_warms_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, resource: said.append(text))
    made()
    assert said == []

    config = tmp_path / revision("1").release.repository.path / "digits" / "config.pbtxt"
    config.parent.mkdir(parents=True)
    config.write_text('name: "digits"')
    record(
        lambda: InferenceService(
            "digits", dataclasses.replace(service_arguments(), serving_root=tmp_path)
        )
    )

    (note,) = said
    assert note.startswith("digits@1: the model digits has no model_warmup")


def test_the_live_revision_must_pass_and_the_standby_is_kept() -> None:
    recording = made()

    roles = {
        name: recording.only("tidegate:index:LoadTestGate", name).inputs["role"]
        for name in (LIVE, STANDBY)
    }
    assert roles == {LIVE: "required", STANDBY: "keep"}


def test_the_switch_waits_for_every_gate_and_every_hold() -> None:
    recording = made()
    switch = recording.only("tidegate:index:TrafficSwitch")

    for revision_id in (LIVE, STANDBY):
        for kind in ("LoadTestGate", "TrafficHold"):
            assert recording.only(f"tidegate:index:{kind}", revision_id).urn in switch.dependencies


def test_the_switch_is_told_how_to_move_in_the_words_of_the_stack_file() -> None:
    strategy = {"strategy": "canary", "steps": [{"weight": 5, "seconds": 60}], "bakeSeconds": 120}

    def program() -> object:
        arguments = dataclasses.replace(
            service_arguments(),
            switch=SwitchStrategy.model_validate(strategy),
            affinity=Affinity(cookie="session"),
            max_stream_seconds=20,
        )
        return InferenceService("digits", arguments)

    inputs = record(program).only("tidegate:index:TrafficSwitch").inputs

    assert dict(inputs["strategy"]["maxRegression"]["latency"]) == {"p95": 0.25}
    assert inputs["strategy"]["bakeSeconds"] == 120
    assert inputs["strategy"]["steps"][0]["weight"] == 5
    assert dict(inputs["affinity"]) == {"cookie": "session", "seconds": 3600}
    assert inputs["maxStreamSeconds"] == 20


def test_a_drain_shorter_than_the_longest_stream_is_refused() -> None:
    def program() -> object:
        return dataclasses.replace(service_arguments(), max_stream_seconds=60, drain_seconds=30)

    with pytest.raises(SpecError, match="drainSeconds: 60 or more"):
        record(program)


@pytest.mark.parametrize("name", [LIVE, STANDBY])
def test_a_hold_depends_on_its_slot_and_its_gate(name: str) -> None:
    """So that a failed gate frees no slot for deletion."""
    recording = made()
    hold = recording.only("tidegate:index:TrafficHold", name)

    for kind in ("TritonServer", "LoadTestGate"):
        assert recording.only(f"tidegate:index:{kind}", name).urn in hold.dependencies


def test_servers_wait_for_the_gateway() -> None:
    recording = made()
    gateway = recording.only("tidegate:index:Gateway")

    for name in (LIVE, STANDBY):
        server = recording.only("tidegate:index:TritonServer", name)
        assert gateway.urn in server.dependencies


def test_without_a_standby_there_is_one_slot() -> None:
    recording = made(standby=None)

    assert recording.only("tidegate:index:TritonServer").name == LIVE
    assert "standby" not in recording.only("tidegate:index:TrafficSwitch").inputs


def test_swapping_live_and_standby_keeps_every_slot() -> None:
    def swapped() -> InferenceService:
        arguments = service_arguments()
        assert arguments.standby is not None
        return InferenceService(
            "digits",
            dataclasses.replace(arguments, live=arguments.standby, standby=arguments.live),
        )

    servers = [
        {
            (each.urn, str(each.inputs))
            for each in recording.resources
            if each.type == "tidegate:index:TritonServer"
        }
        for recording in (made(), record(swapped))
    ]

    assert servers[0] == servers[1]


def test_a_standby_equal_to_the_live_revision_is_refused() -> None:
    with pytest.raises(SpecError, match="it is the revision that takes the traffic"):
        made(standby="1")


def test_a_standby_of_another_service_is_refused() -> None:
    other = revision("2").release.model_copy(update={"service": "letters"})
    assert isinstance(other, Release)

    def program() -> object:
        arguments = service_arguments()
        standby = revision("2").model_copy(update={"release": other})
        return dataclasses.replace(arguments, standby=standby)

    with pytest.raises(SpecError, match="it belongs to the service letters"):
        record(program)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state_folder": Path("state")}, "an absolute path"),
        ({"port": 8080, "admin_port": 8080}, "two different ports"),
        ({"evidence": "evidence"}, "an absolute path"),
        ({"evidence": "ftp://host/team"}, "gs://bucket/prefix"),
    ],
)
def test_a_platform_that_cannot_work_is_refused(changes: dict[str, object], why: str) -> None:
    arguments = dataclasses.asdict(platform_arguments())

    with pytest.raises(SpecError, match=why):
        LocalPlatformArgs(**(arguments | changes))
