import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.provider.stand_ins import Said, StackOnStandIns, make_verdict
from tidegate.files import write_json
from tidegate.gate.handed_environment import ON_STDIN
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome
from tidegate.local.slot_record import SlotRecord
from tidegate.provider.errors import CancelledOperation, ProviderError
from tidegate.provider.handler import Created, Diff
from tidegate.provider.resources.load_test_gate import LoadTestGateHandler
from tidegate.provider.shared.gate_inputs import (
    NOT_RUN,
    LoadTestGateInputs,
    LoadTestGateOutputs,
)
from tidegate.spec.release import load_release
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
REVISION = "digits-2-bbbbbbbb"
GATE = f"gate-{REVISION}"


def inputs(**changes: Any) -> LoadTestGateInputs:
    profile = yaml.safe_load((ROOT / "loadtests" / "profiles" / "quick.yaml").read_text())
    fields: dict[str, Any] = {
        "service": "digits",
        "revision": REVISION,
        "release": "2",
        "role": "required",
        "serving_root": str(ROOT / "serving"),
        "release_digest": load_release(ROOT / "serving", "digits", "2").digest,
        "profile": profile,
        "http_target": "127.0.0.1:18001",
        "grpc_target": "127.0.0.1:18002",
        "metrics_target": "127.0.0.1:18003",
    }
    return LoadTestGateInputs(**(fields | changes))


@pytest.fixture
def handler(stack: StackOnStandIns) -> LoadTestGateHandler:
    return LoadTestGateHandler(stack, "test", None)


async def create(
    handler: LoadTestGateHandler, said: Said | None = None, **changes: Any
) -> Created[LoadTestGateOutputs]:
    return await handler.create((said or Said()).operation, inputs(**changes))


async def diff(handler: LoadTestGateHandler, outputs: LoadTestGateOutputs, **changes: Any) -> Diff:
    return await handler.diff(REVISION, outputs, inputs(), inputs(**changes))


async def test_a_pass_creates_the_gate_with_its_evidence(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    stack.verdicts = [Outcome.PASS]
    said = Said()

    created = await create(handler, said)

    assert created.id == REVISION
    assert created.outputs.outcome == "PASS"
    assert created.outputs.evidence == "/evidence/1.json"
    assert said.info == ["PASS: p95 is 12 ms, SLO 50 ms"]
    assert await handler.read(REVISION, inputs()) == created.outputs


async def test_the_runner_is_told_what_to_judge_and_what_must_not_change(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    stack.verdicts = [Outcome.PASS]
    await create(handler, retry="a disk was full")

    run = stack.gates.latest(REVISION)
    assert run is not None
    request = GateRequest.load(run.folder / "request.json")
    assert (request.environment, request.revision) == ("test", REVISION)
    assert request.http_target == "127.0.0.1:18001"
    assert request.retry_reason == "a disk was full"
    assert request.lease_seconds is not None
    repository = stack.slots.repository(REVISION)
    assert str(repository / "digits" / "2" / "model.onnx") in request.watched_files
    assert {name.split("/")[0] for name in request.subject_digests} == {
        "release",
        "golden",
        "model",
    }


async def test_evidence_in_a_bucket_brings_its_credentials_through_a_pipe(
    stack: StackOnStandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "k3y-which-nobody-may-read"  # noqa: S105 - made up
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    stack.verdicts = [Outcome.PASS]
    await create(LoadTestGateHandler(stack, "test", "s3://evidence/team"))

    run = stack.gates.latest(REVISION)
    assert run is not None and run.request is not None
    assert run.request.evidence_dir == "s3://evidence/team"
    assert ON_STDIN in stack.supervisor.programs[GATE].command
    assert json.loads(stack.supervisor.lines[GATE])["AWS_SECRET_ACCESS_KEY"] == secret
    written = [path for path in stack.folder.root.rglob("*") if path.is_file()]
    assert not [path for path in written if secret.encode() in path.read_bytes()]


async def test_evidence_in_the_stacks_folder_needs_none(
    stack: StackOnStandIns, handler: LoadTestGateHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    stack.verdicts = [Outcome.PASS]
    await create(handler)

    run = stack.gates.latest(REVISION)
    assert run is not None and run.request is not None
    assert run.request.evidence_dir == str(stack.folder.evidence)
    assert stack.supervisor.lines == {}


@pytest.mark.parametrize(
    ("profile", "live", "baseline"),
    [
        ("standard", "digits-1-aaaaaaaa", "digits-1-aaaaaaaa"),
        ("standard", REVISION, None),
        ("standard", None, None),
        ("quick", "digits-1-aaaaaaaa", None),
    ],
)
async def test_it_is_compared_with_the_revision_that_takes_the_traffic(
    stack: StackOnStandIns,
    handler: LoadTestGateHandler,
    profile: str,
    live: str | None,
    baseline: str | None,
) -> None:
    """Unless that is itself, there is none, or the profile compares nothing."""
    if live is not None:
        slot = SlotRecord(live, "digits", "1", (("digits", "1"),), 18011, 18012, 18013, "")
        write_json(stack.folder.slot(live) / "slot.json", asdict(slot))
        stack.gateway.discovery.put_service(ServiceRoutes("digits", ("digits",), {live: 100}, 30))
    stack.verdicts = [Outcome.PASS]

    await create(
        handler,
        profile=yaml.safe_load((ROOT / "loadtests" / "profiles" / f"{profile}.yaml").read_text()),
    )

    run = stack.gates.latest(REVISION)
    assert run is not None
    asked = GateRequest.load(run.folder / "request.json").baseline
    assert (asked.revision if asked is not None else None) == baseline
    if asked is not None:
        assert (asked.http_target, asked.model_version) == ("127.0.0.1:18011", "1")
        assert "takes the traffic of digits" in asked.why


async def test_the_role_keep_runs_nothing(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    created = await create(handler, role="keep")

    assert created.outputs.outcome == NOT_RUN
    assert stack.supervisor.started == []
    assert await diff(handler, created.outputs, role="keep") == Diff()


async def test_a_standby_never_judged_must_pass_before_it_is_promoted(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    kept = await create(handler, role="keep")

    assert await diff(handler, kept.outputs, role="required") == Diff(changed=("role",))

    stack.verdicts = [Outcome.PASS]
    outputs = await handler.update(
        Said().operation, REVISION, kept.outputs, inputs(role="keep"), inputs()
    )
    assert outputs.outcome == "PASS"
    assert outputs.nonce == kept.outputs.nonce


async def test_role_and_profile_are_no_difference_on_a_gate_that_passed(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    stack.verdicts = [Outcome.PASS]
    created = await create(handler)
    profile = inputs().profile | {"seed": 99}

    assert await diff(handler, created.outputs, role="keep") == Diff()
    assert await diff(handler, created.outputs, profile=profile) == Diff()
    assert await diff(handler, created.outputs, http_target="127.0.0.1:18099") == Diff()

    await create(handler, profile=profile)
    assert stack.supervisor.started == [GATE]  # once


async def test_another_revision_is_another_gate(handler: LoadTestGateHandler) -> None:
    outputs = (await create(handler, role="keep")).outputs

    assert (await diff(handler, outputs, revision="digits-3-cccccccc")).replace == ("revision",)


async def test_a_pass_that_the_engine_has_not_recorded_is_a_difference(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    kept = await create(handler, role="keep")
    stack.verdicts = [Outcome.PASS]
    await create(handler)  # killed before the engine wrote it down

    assert await diff(handler, kept.outputs, role="keep") == Diff(changed=("outcome",))


async def test_a_fail_is_refused_with_its_reasons_and_stands(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    stack.verdicts = [Outcome.FAIL, Outcome.PASS]

    for _ in range(2):
        with pytest.raises(ProviderError) as raised:
            await create(handler)
        message = str(raised.value)
        assert message.startswith("digits@2 takes no traffic. FAIL: p95 is 12 ms")
        assert "- the first reason" in message
        assert "Evidence: /evidence/1.json" in message
        assert "`retry: <reason>` under tidegate:services.digits" in message

    assert stack.supervisor.started == [GATE]  # the second time only the stored verdict


async def test_a_reason_to_retry_runs_a_failed_gate_once_more(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    stack.verdicts = [Outcome.FAIL, Outcome.FAIL, Outcome.PASS]
    for retry, runs in ((None, 1), ("a disk was full", 2), ("a disk was full", 2), (None, 2)):
        with pytest.raises(ProviderError, match="takes no traffic"):
            await create(handler, retry=retry)
        assert len(stack.supervisor.started) == runs, retry

    assert (await create(handler, retry="the disk is empty now")).outputs.outcome == "PASS"


async def test_a_retry_that_was_interrupted_takes_no_fail_back(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    stack.verdicts = [Outcome.FAIL]
    with pytest.raises(ProviderError, match="takes no traffic"):
        await create(handler)
    interrupted = Said()
    interrupted.operation.cancelled.set()
    with pytest.raises(CancelledOperation):
        await create(handler, interrupted, retry="a disk was full")
    runs = len(stack.supervisor.started)
    stack.verdicts = [Outcome.PASS]

    with pytest.raises(ProviderError, match="This verdict stands"):
        await create(handler)
    assert len(stack.supervisor.started) == runs == 2

    again = await create(handler, retry="a disk was full")
    assert again.outputs.outcome == "PASS", "the interrupted run has not used the reason up"


async def test_the_reason_that_a_fail_has_used_up_stays_used(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    stack.verdicts = [Outcome.FAIL]
    with pytest.raises(ProviderError, match="takes no traffic"):
        await create(handler, retry="a disk was full")
    interrupted = Said()
    interrupted.operation.cancelled.set()
    with pytest.raises(CancelledOperation):
        await create(handler, interrupted, retry="the disk is empty now")

    with pytest.raises(ProviderError, match="This verdict stands"):
        await create(handler, retry="a disk was full")
    assert stack.supervisor.started == [GATE, GATE]


@pytest.mark.parametrize("outcome", [Outcome.INCONCLUSIVE, Outcome.INVALID])
async def test_where_nothing_was_decided_the_next_up_runs_the_gate_again(
    stack: StackOnStandIns, handler: LoadTestGateHandler, outcome: Outcome
) -> None:
    stack.verdicts = [outcome, Outcome.PASS]

    with pytest.raises(ProviderError, match="the next `pulumi up` runs the gate again"):
        await create(handler)

    assert (await create(handler)).outputs.outcome == "PASS"


class Killed(BaseException):
    """The process of an `up` is gone."""


async def test_a_gate_that_runs_already_is_followed(
    stack: StackOnStandIns, handler: LoadTestGateHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def end(_seconds: float) -> None:
        raise Killed

    async def decide(_seconds: float) -> None:
        run = stack.gates.latest(REVISION)
        assert run is not None
        make_verdict(Outcome.PASS).write(run.folder / "verdict.json")

    killed, follower = Said(), Said()
    monkeypatch.setattr(killed.operation, "sleep", end)
    monkeypatch.setattr(follower.operation, "sleep", decide)
    with pytest.raises(Killed):
        await create(handler, killed)

    assert (await create(handler, follower)).outputs.outcome == "PASS"

    assert "already running; following it" in follower.info[0]
    assert stack.supervisor.started == [GATE]


async def test_a_gate_that_runs_for_a_promotion_taken_back_is_a_difference_and_is_stopped(
    stack: StackOnStandIns, handler: LoadTestGateHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def end(_seconds: float) -> None:
        raise Killed

    kept = (await create(handler, role="keep")).outputs
    killed = Said()
    monkeypatch.setattr(killed.operation, "sleep", end)
    with pytest.raises(Killed):
        await create(handler, killed)

    assert await diff(handler, kept, role="keep") == Diff(changed=("role",))
    again = await create(handler, role="keep")

    assert again.outputs == kept
    assert not stack.gates.is_running(REVISION)
    assert await diff(handler, kept, role="keep") == Diff()


async def test_a_run_that_ended_without_a_verdict_says_why_and_is_run_again(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    stack.supervisor.ended = {GATE}
    stack.folder.logs.mkdir(parents=True)
    stack.folder.log(GATE).write_text("Killed by the kernel\n")

    with pytest.raises(ProviderError, match="no verdict; the next `pulumi up` runs") as raised:
        await create(handler)
    assert "Killed by the kernel" in str(raised.value)

    stack.supervisor.ended = set()
    stack.supervisor.stop(GATE)
    stack.verdicts = [Outcome.PASS]
    assert (await create(handler)).outputs.outcome == "PASS"


async def test_cancelling_up_stops_the_gate_without_a_verdict(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    said = Said()
    said.operation.cancelled.set()

    with pytest.raises(CancelledOperation):
        await create(handler, said)

    run = stack.gates.latest(REVISION)
    assert run is not None
    assert (run.folder / "cancel").exists()
    assert not stack.gates.is_running(REVISION)
    assert run.verdict is None


async def test_deletion_forgets_the_verdict_so_that_the_release_is_gated_again(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    stack.verdicts = [Outcome.PASS, Outcome.PASS]
    first = await create(handler)

    await handler.delete(Said().operation, REVISION, first.outputs)

    assert await handler.read(REVISION, inputs()) is None
    assert stack.gates.passing(REVISION) is None
    second = await create(handler)
    assert second.outputs.nonce != first.outputs.nonce
    assert stack.supervisor.started == [GATE, GATE]


def test_state_written_before_there_were_reports_is_read() -> None:
    state = {"outcome": "PASS", "summary": "PASS", "evidence": "/e.json", "nonce": "a"}

    assert LoadTestGateOutputs.model_validate(state).report == ""


async def test_a_profile_that_cannot_decide_is_refused_at_preview(
    handler: LoadTestGateHandler,
) -> None:
    (failure,) = await handler.check(inputs(profile=inputs().profile | {"durationSeconds": 0.1}))

    assert failure.property == "profile"
    assert "durationSeconds" in failure.reason


async def test_a_manifest_changed_since_the_preview_judges_nothing(
    stack: StackOnStandIns, handler: LoadTestGateHandler
) -> None:
    with pytest.raises(ProviderError, match="the manifest changed while it was being deployed"):
        await create(handler, release_digest="sha256:" + "0" * 64)
    assert stack.supervisor.started == []


async def test_load_goes_to_loopback_only(handler: LoadTestGateHandler) -> None:
    with pytest.raises(Exception, match="load goes to this machine only"):
        await create(handler, http_target="192.0.2.1:8000")
