import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cluster.api_server import ApiServer, status
from tests.unit.provider.kubernetes.runners import Runners, note, until
from tests.unit.provider.stand_ins import Said
from tidegate.cluster import names
from tidegate.cluster.kinds import CONFIG_MAP, JOB, LEASE, POD
from tidegate.cluster.leases import Leases
from tidegate.gate.verdict import Outcome
from tidegate.provider.errors import CancelledOperation, ProviderError
from tidegate.provider.handler import Created, Diff
from tidegate.provider.kubernetes import LoadTestGateHandler, gate_requests
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.shared.gate_inputs import (
    NOT_RUN,
    LoadTestGateInputs,
    LoadTestGateOutputs,
)
from tidegate.spec.release import load_release
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[4]
REVISION = "digits-2-bbbbbbbb"
LIVE = "digits-1-aaaaaaaa"


def profile(name: str) -> Any:
    return yaml.safe_load((ROOT / "loadtests" / "profiles" / f"{name}.yaml").read_text())


def inputs(**changes: Any) -> LoadTestGateInputs:
    revision = changes.get("revision", REVISION)
    fields: dict[str, Any] = {
        "service": "digits",
        "revision": revision,
        "release": "2",
        "role": "required",
        "serving_root": str(ROOT / "serving"),
        "release_digest": load_release(ROOT / "serving", "digits", "2").digest,
        "profile": profile("quick"),
        "http_target": names.target(revision, "team-a", 8000),
        "grpc_target": names.target(revision, "team-a", 8001),
        "metrics_target": names.target(revision, "team-a", 8002),
        "accelerator_pool": "l4",
    }
    return LoadTestGateInputs(**(fields | changes))


@pytest.fixture
def handler(access: ClusterAccess) -> LoadTestGateHandler:
    return LoadTestGateHandler(access)


async def create(
    handler: LoadTestGateHandler, said: Said | None = None, **changes: Any
) -> Created[LoadTestGateOutputs]:
    return await handler.create((said or Said()).operation, inputs(**changes))


async def refused(handler: LoadTestGateHandler, **changes: Any) -> str:
    with pytest.raises(ProviderError) as raised:
        await create(handler, **changes)
    return str(raised.value)


async def diff(handler: LoadTestGateHandler, outputs: LoadTestGateOutputs, **changes: Any) -> Diff:
    return await handler.diff(REVISION, outputs, inputs(), inputs(**changes))


async def test_a_pass_is_kept_in_the_gates_record(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [Outcome.PASS]
    said = Said()

    created = await create(handler, said)

    assert created.id == REVISION
    assert created.outputs.outcome == "PASS"
    assert created.outputs.evidence == "s3://evidence/1.json"
    assert said.info == ["PASS: p95 is 12 ms, SLO 50 ms"]
    assert await handler.read(REVISION, inputs()) == created.outputs
    assert await diff(handler, created.outputs) == Diff()
    # The Job's time to live is over; the verdict stays.
    runners.remove_job(runners.jobs()[0])
    assert (await create(handler)).outputs == created.outputs
    assert len(runners.gates) == 1


async def test_the_runner_is_told_what_to_judge(
    runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [Outcome.PASS]
    await create(handler, retry="a node was lost")

    (request,) = runners.gates
    assert (request.environment, request.revision) == ("test", REVISION)
    assert request.targets == "cluster"
    assert request.http_target == f"{REVISION}.team-a.svc:8000"
    assert request.metrics_target == f"{REVISION}.team-a.svc:8002"
    assert request.evidence_dir == "s3://evidence/team-a"
    assert request.retry_reason == "a node was lost"
    assert request.watched_files == {}
    assert request.baseline is None


async def test_it_is_compared_with_the_revision_that_takes_the_traffic(
    runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [Outcome.PASS, Outcome.PASS]
    await create(handler, revision=LIVE)
    runners.route(ServiceRoutes("digits", ("digits",), {LIVE: 100}, 30, hostnames=("a.example",)))

    await create(handler, profile=profile("standard"))

    baseline = runners.gates[-1].baseline
    assert baseline is not None
    assert (baseline.revision, baseline.model_version) == (LIVE, "2")
    assert baseline.http_target == f"{LIVE}.team-a.svc:8000"


async def test_a_fail_stands_until_a_reason_to_retry_is_given(
    runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [Outcome.FAIL, Outcome.FAIL, Outcome.PASS]

    first = await refused(handler)
    second = await refused(handler)
    assert "digits@2 takes no traffic. FAIL: p95 is 12 ms" in first
    assert "- the first reason" in first
    assert "set `retry: <reason>`" in first
    assert second == first
    assert len(runners.gates) == 1

    await refused(handler, retry="a node was lost")
    await refused(handler, retry="a node was lost")
    assert len(runners.gates) == 2
    assert (await create(handler, retry="another one")).outputs.outcome == "PASS"


async def test_what_decided_nothing_is_run_again(
    runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [Outcome.INCONCLUSIVE, Outcome.PASS]

    assert "the next `pulumi up` runs the gate again" in await refused(handler)
    assert (await create(handler)).outputs.outcome == "PASS"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", "Completed, exit code 0"),
        ("not a verdict", "is no verdict: 'not a verdict'"),
        (note(Outcome.PASS, f"sha256:{'1' * 64}").to_message(), "about another request"),
    ],
)
async def test_a_run_without_a_verdict_on_this_request_passes_nothing(
    runners: Runners, handler: LoadTestGateHandler, message: str, words: str
) -> None:
    runners.verdicts = [message, Outcome.PASS]

    said = await refused(handler)

    assert f"{REVISION} has no verdict; the next `pulumi up` runs its gate again. " in said
    assert words in said
    assert (await create(handler)).outputs.outcome == "PASS", "the next one runs it again"


async def test_a_job_that_is_deleted_or_evicted_is_said(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler
) -> None:
    def evict(job: str) -> None:
        runners.end(job, None, reason="Evicted", message="low on memory")

    runners.verdicts = [None, None]
    for end, words in (
        (runners.remove_job, "was deleted"),
        (evict, "was evicted: low on memory"),
    ):
        update = asyncio.create_task(refused(handler))
        await until(lambda: any(not _ended(api, each) for each in runners.jobs()))
        (job,) = [each for each in runners.jobs() if not _ended(api, each)]
        end(job)
        assert words in await update
    leases = Leases(api.cluster())
    cancelled = [await leases.state(name) for name in api.names(LEASE.plural)]
    assert len(cancelled) == 2, "one of each run"
    assert all(each is not None and each.is_cancelled for each in cancelled), "its pod may go on"


async def test_a_run_that_a_killed_update_left_is_taken_up(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [None]
    killed = asyncio.create_task(create(handler))
    await until(runners.jobs)
    killed.cancel()
    (job,) = runners.jobs()
    said = Said()

    update = asyncio.create_task(create(handler, said))
    await until(lambda: said.info)
    runners.end(job, note(Outcome.PASS, runners.gates[0].digest).to_message())

    assert (await update).outputs.outcome == "PASS"
    assert "already running" in said.info[0]
    assert runners.jobs() == [job]


async def test_a_verdict_that_nobody_waited_for_counts(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [None]
    killed = asyncio.create_task(create(handler))
    await until(runners.jobs)
    killed.cancel()
    runners.end(runners.jobs()[0], note(Outcome.FAIL, runners.gates[0].digest).to_message())

    assert "FAIL" in await refused(handler)
    assert len(runners.gates) == 1


async def killed_gate(
    runners: Runners, handler: LoadTestGateHandler, outcome: Outcome, digest: str | None = None
) -> str:
    """A gate that nobody waits for any more has written this into its run's record; its Job."""
    runners.verdicts = [None]
    killed = asyncio.create_task(create(handler))
    await until(runners.jobs)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    recorded = note(outcome, digest or runners.gates[0].digest)
    runners.write(names.gate_run(REVISION, 1), "verdict.json", recorded.to_json())
    (job,) = runners.jobs()
    return job


async def test_a_fail_outlives_its_job(runners: Runners, handler: LoadTestGateHandler) -> None:
    runners.remove_job(await killed_gate(runners, handler, Outcome.FAIL))

    first = await refused(handler)

    assert "digits@2 takes no traffic. FAIL: p95 is 12 ms" in first
    assert await refused(handler) == first
    assert len(runners.gates) == 1
    runners.verdicts = [Outcome.PASS]
    assert (await create(handler, retry="a node was lost")).outputs.outcome == "PASS"


@pytest.mark.parametrize(
    ("outcome", "digest"),
    [(Outcome.PASS, None), (Outcome.INCONCLUSIVE, None), (Outcome.FAIL, f"sha256:{'1' * 64}")],
)
async def test_nothing_else_in_a_runs_record_decides(
    runners: Runners, handler: LoadTestGateHandler, outcome: Outcome, digest: str | None
) -> None:
    runners.remove_job(await killed_gate(runners, handler, outcome, digest))
    runners.verdicts = [Outcome.FAIL]

    assert "FAIL" in await refused(handler)
    assert len(runners.gates) == 2


async def test_a_fail_counts_although_its_job_goes_while_it_is_followed(
    runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [None]
    update = asyncio.create_task(refused(handler))
    await until(runners.jobs)
    recorded = note(Outcome.FAIL, runners.gates[0].digest)
    runners.write(names.gate_run(REVISION, 1), "verdict.json", recorded.to_json())
    runners.remove_job(runners.jobs()[0])

    assert "FAIL: p95 is 12 ms" in await update


async def test_ctrl_c_forgets_no_verdict(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [None]
    said = Said()
    update = asyncio.create_task(create(handler, said))
    await until(runners.jobs)
    (job,) = runners.jobs()

    def decided_before_it_was_asked(plural: str, written: dict[str, Any]) -> None:
        if plural == LEASE.plural and "annotations" in written["metadata"]:
            runners.end(job, note(Outcome.FAIL, runners.gates[0].digest).to_message())

    runs_gates, api.controller = api.controller, decided_before_it_was_asked
    said.operation.cancelled.set()
    with pytest.raises(CancelledOperation):
        await update
    assert runners.jobs() == []
    runners.remove_job(f"{job}-x")
    runners.verdicts, api.controller = [Outcome.INVALID], runs_gates

    assert "FAIL" in await refused(handler)
    assert len(runners.gates) == 1


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL])
async def test_the_role_keep_forgets_no_verdict(
    runners: Runners, handler: LoadTestGateHandler, outcome: Outcome
) -> None:
    job = await killed_gate(runners, handler, Outcome.INVALID, f"sha256:{'1' * 64}")
    runners.end(job, note(outcome, runners.gates[0].digest).to_message())

    kept = await create(handler, role="keep")

    assert runners.jobs() == []
    assert kept.outputs.outcome == ("PASS" if outcome is Outcome.PASS else NOT_RUN)
    assert await diff(handler, kept.outputs, role="keep") == Diff()
    if outcome is Outcome.FAIL:
        assert "FAIL" in await refused(handler)
    assert len(runners.gates) == 1


async def test_cancelling_stops_the_runner(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [None, Outcome.PASS]
    said = Said()
    update = asyncio.create_task(create(handler, said))
    await until(runners.jobs)

    said.operation.cancelled.set()

    with pytest.raises(CancelledOperation):
        await update
    assert runners.jobs() == []
    assert (await create(handler)).outputs.outcome == "PASS"


async def test_the_role_keep_runs_nothing_and_stops_what_runs(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler
) -> None:
    kept = await create(handler, role="keep")
    assert kept.outputs.outcome == NOT_RUN
    assert runners.jobs() == []
    assert await diff(handler, kept.outputs, role="keep") == Diff()
    assert await diff(handler, kept.outputs) == Diff(changed=("role",))

    runners.verdicts = [None]
    killed = asyncio.create_task(create(handler))
    await until(runners.jobs)
    killed.cancel()
    assert await diff(handler, kept.outputs, role="keep") == Diff(changed=("role",))
    await create(handler, role="keep")
    assert runners.jobs() == []


async def test_deletion_leaves_no_object_and_another_gate_has_another_nonce(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [Outcome.PASS, Outcome.PASS]
    first = await create(handler)
    labels = names.labels()
    api.put(LEASE.plural, {"metadata": {"name": "accelerator-pool.l4", "labels": labels}})

    await handler.delete(Said().operation, REVISION, first.outputs)

    assert [api.names(kind.plural) for kind in (CONFIG_MAP, LEASE, JOB)] == [[], [], []]
    assert await handler.read(REVISION, inputs()) is None
    again = await create(handler)
    assert again.outputs.nonce != first.outputs.nonce
    assert len(runners.gates) == 2


@pytest.mark.parametrize(
    ("holder", "stays"),
    [("", False), ("team-a/gate-0ther/pod/1", False), ("team-b/gate-0ther/pod/1", True)],
)
async def test_a_pool_that_another_namespaces_gate_holds_stays_held(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler, holder: str, stays: bool
) -> None:
    runners.verdicts = [Outcome.PASS]
    created = await create(handler)
    meta = {"name": names.accelerator_pool_lease("l4"), "labels": names.labels()}
    api.put(LEASE.plural, {"metadata": meta, "spec": {"holderIdentity": holder}})

    await handler.delete(Said().operation, REVISION, created.outputs)

    assert api.names(LEASE.plural) == (["accelerator-pool.l4"] if stays else [])


async def test_a_golden_set_too_large_for_a_config_map_is_named(
    handler: LoadTestGateHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_requests, "GOLDEN_LIMIT_BYTES", 1000)

    said = await refused(handler)

    assert "golden set" in said
    assert "at most 1000 in its ConfigMap" in said


async def test_an_api_server_that_restarts_meanwhile_is_waited_for(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler
) -> None:
    runners.verdicts = [None]
    said = Said()
    update = asyncio.create_task(create(handler, said))
    await until(runners.jobs)

    api.is_down = True
    await until(lambda: any("waiting for the API server" in each for each in said.status))
    api.is_down = False
    runners.end(runners.jobs()[0], note(Outcome.PASS, runners.gates[0].digest).to_message())

    assert (await update).outputs.outcome == "PASS"


@pytest.mark.parametrize(
    "words", ["etcdserver: leader changed", 'failed calling webhook "a.b.c": connection refused']
)
async def test_an_api_server_that_fails_once_loses_no_attempt(
    api: ApiServer, runners: Runners, handler: LoadTestGateHandler, words: str
) -> None:
    runners.verdicts = [None]
    said = Said()
    update = asyncio.create_task(create(handler, said))
    await until(runners.jobs)

    api.refusals = [(500, status(500, "InternalError", words))]
    await until(lambda: any(words in each for each in said.status))
    runners.end(runners.jobs()[0], note(Outcome.PASS, runners.gates[0].digest).to_message())

    assert (await update).outputs.outcome == "PASS"
    assert len(runners.gates) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, status(401, "Unauthorized", "Unauthorized")), "does not accept the credentials"),
        (
            (403, status(403, "Forbidden", 'User "x" cannot create resource "configmaps"')),
            'cannot create resource "configmaps"',
        ),
        (None, "does not answer (connection refused)"),
    ],
)
async def test_an_api_server_that_refuses_is_one_sentence(
    api: ApiServer, handler: LoadTestGateHandler, answer: Any, words: str
) -> None:
    api.is_down = answer is None
    api.refusals = [answer] if answer is not None else []

    said = await refused(handler)

    assert said.startswith(f"{REVISION} has no verdict: ConfigMap team-a/gate.{REVISION}")
    assert words in said


def _ended(api: ApiServer, job: str) -> bool:
    return bool(api.get(POD.plural, f"{job}-x")["status"]["phase"] != "Running")
