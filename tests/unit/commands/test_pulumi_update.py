"""`pulumi up` behind another update's lock. The program `pulumi` is a script here."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tidegate.commands import pulumi_update
from tidegate.commands.pulumi_update import Engine, PulumiError
from tidegate.commands.stack_lock import StackLock

pytestmark = pytest.mark.unit

GONE = 2**22 + 1  # above the kernel's largest process id


def refusal(pid: int, host: str) -> str:
    return (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other "
        "process(es) to end or delete the lock file with `pulumi cancel`.\n"
        f"  file:///backend/locks/1.json: created by root@{host} (pid {pid}) at "
        "2026-11-22T22:08:27Z\n"
    )


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(pulumi_update, "LOCK_POLL_SECONDS", 0.01)
    return Engine(tmp_path, "test")


def program(engine: Engine, *answers: tuple[int, str]) -> None:
    """A `pulumi` that ends with each code in turn after writing the text to standard error."""
    script = engine.project / "pulumi"
    cases = "".join(
        f"{number}) cat >&2 <<'END'\n{text}\nEND\nexit {code};;\n"
        for number, (code, text) in enumerate(answers)
    )
    script.write_text(
        'n=$(cat "$0.count" 2>/dev/null || echo 0)\n'
        'echo $((n + 1)) > "$0.count"\n'
        f"case $n in\n{cases}esac\n"
    )
    script.write_text(f"#!/bin/sh\n{script.read_text()}")
    script.chmod(0o755)


def test_an_update_waits_for_the_one_before_and_says_who_it_is(engine: Engine) -> None:
    program(engine, (1, refusal(os.getpid(), socket.gethostname())), (0, ""))
    said: list[str] = []

    engine.up((), said.append)

    assert said[0] == "$ pulumi up --yes --skip-preview --stack test"
    assert f"(pid {os.getpid()})" in said[1]


def test_a_lock_whose_holder_is_gone_is_not_waited_for(engine: Engine) -> None:
    program(engine, (1, refusal(GONE, socket.gethostname())))

    with pytest.raises(PulumiError, match="pulumi cancel --yes --stack test"):
        engine.up((), lambda _line: None)


def test_a_failed_update_is_an_error_and_its_words_are_shown(
    engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    program(engine, (3, "error: the gate did not pass"))

    with pytest.raises(PulumiError, match="exit code 3"):
        engine.up((), lambda _line: None)
    assert "the gate did not pass" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("said", "stale"),
    [
        (refusal(GONE, "elsewhere"), False),
        (refusal(os.getpid(), socket.gethostname()), False),
        (refusal(GONE, socket.gethostname()), True),
        ("error: [409] Conflict: Another update is currently in progress.", False),
    ],
)
def test_only_a_process_of_this_machine_is_known_to_be_gone(said: str, stale: bool) -> None:
    lock = StackLock.read(said)

    assert lock is not None and lock.is_stale is stale


def test_other_words_are_no_lock() -> None:
    assert StackLock.read("error: update failed") is None


def test_a_failed_question_says_what_pulumi_said(engine: Engine) -> None:
    program(engine, (255, "error: no stack named 'test' found"))

    with pytest.raises(PulumiError, match="no stack named 'test'"):
        engine.targets("digits", ["digits-1-aaaaaaaa"])


class HalfCreated(Engine):
    """A revision whose gate has not passed: its server is recorded, its gate and hold are not."""

    def _asked(self, *command: str) -> Any:
        service = {"urn": "s::S::digits", "type": "tidegate:serving:InferenceService"}
        server = {"urn": "s::T::digits-2", "type": "tidegate:index:TritonServer"}
        gate = {"urn": "s::G::digits-2", "type": "tidegate:index:LoadTestGate"}
        for each in (server, gate):
            each["parent"] = service["urn"]
        if command[1] == "stack":
            return {"deployment": {"resources": [service, server]}}
        steps = [{"op": "same", "newState": service}, {"op": "same", "newState": server}]
        return {"steps": [*steps, {"op": "create", "newState": gate}]}


def test_what_a_failed_gate_left_uncreated_is_among_the_targets(tmp_path: Path) -> None:
    assert "s::G::digits-2" in HalfCreated(tmp_path, "test").targets("digits", ["digits-2"])


class Complete(Engine):
    """One revision with all that belongs to it, and one that the program alone knows."""

    def _asked(self, *command: str) -> Any:
        service = {"urn": "s::S::digits", "type": "tidegate:serving:InferenceService"}
        holds = [
            {"urn": f"s::H::{name}", "type": "tidegate:index:TrafficHold", "parent": "s::S::digits"}
            for name in ("digits-1", "digits-2")
        ]
        if command[1] == "stack":
            return {"deployment": {"resources": [service, holds[0]]}}
        return {"steps": [{"op": "same", "newState": each} for each in (service, *holds)]}


@pytest.mark.parametrize(("revision", "is_asked"), [("digits-1", False), (None, True)])
def test_the_program_is_asked_for_a_revision_that_nobody_knows(
    tmp_path: Path, revision: str | None, is_asked: bool
) -> None:
    found = Complete(tmp_path, "test").targets("digits", ["digits-1", revision])

    assert ("s::H::digits-2" in found) is is_asked


def test_an_output_of_a_stack_is_read_and_what_keeps_it_unknown_is_told(engine: Engine) -> None:
    script = engine.project / "pulumi"
    script.write_text('#!/bin/sh\nprintf \'"%s %s"\' "$3" "$7"\n')
    script.chmod(0o755)
    assert engine.output("kubeconfig") == "kubeconfig test"

    program(engine, (255, "error: current stack does not have output property 'kubeconfig'"))
    with pytest.raises(PulumiError, match="does not have output property"):
        engine.output("kubeconfig")
