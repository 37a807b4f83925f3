"""Switches and drains as Jobs in the cluster, with the rights that the runner has."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.harness.programs import RUNNER_IMAGE
from tests.cluster.routed_service import (
    Callers,
    create_namespace,
    load,
    make_gateway,
    make_slot,
    service_routes,
    until,
)
from tests.cluster.switch_jobs import SwitchJobs, make_runner_account
from tests.unit.provider.stand_ins import Said
from tidegate.cluster import names
from tidegate.cluster.client import connect
from tidegate.cluster.kinds import JOB, POD, RESOURCE_QUOTA
from tidegate.jobs.runner_state import look
from tidegate.provider.kubernetes.runner_waiting import why_it_does_not_begin
from tidegate.provider.kubernetes.switch_runs import SwitchRuns
from tidegate.records.drains import DrainRecords, DrainRequest
from tidegate.spec.traffic import CanaryStep, MaxRegression, SwitchStrategy
from tidegate.traffic.gateway_api.envoys import find_envoys
from tidegate.traffic.switch_documents import Ending

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]

PLACE = "runner-jobs"
ONE, TWO = "digits-one", "digits-two"
ALL_AT_ONCE = SwitchStrategy()
JUDGED = SwitchStrategy(
    strategy="canary",
    steps=(CanaryStep(weight=50, seconds=12),),
    minimum_requests=200,
    max_regression=MaxRegression(error_rate=0.05, latency={}),
)
CANARY = SwitchStrategy(strategy="canary", steps=(CanaryStep(weight=50, seconds=30),))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(cluster: KubernetesCluster, gateway: EnvoyGateway) -> AsyncIterator[SwitchJobs]:
    create_namespace(cluster, PLACE)
    client = connect(cluster.kubeconfig, None, PLACE)
    where = await make_gateway(client, gateway.gateway_class, envoys=1)
    await make_runner_account(client, where)
    for revision in (ONE, TWO):
        await make_slot(client, revision)
    yield SwitchJobs(client, where)
    await client.close()


async def test_a_job_makes_the_first_routes_and_moves_them(stage: SwitchJobs) -> None:
    first = await stage.move(service_routes(one=100))
    second = await stage.move(service_routes(two=100))

    assert (first.ending, second.ending) == (Ending.ADVANCED, Ending.ADVANCED)
    assert second.drained is not None and second.drained.revision == ONE
    recorded = await stage.recorded.of("digits")
    assert recorded is not None and recorded.problems == ()
    assert recorded.routes == service_routes(two=100)
    assert not recorded.mentions(ONE)
    assert set(await stage.switches.served("digits")) == {ONE, TWO}
    events = [each["event"] for each in await stage.switches.events("digits")]
    assert events.count("advanced") == 2 and "drained" in events


async def test_a_cancelled_switch_turns_back(stage: SwitchJobs) -> None:
    before = service_routes(one=100)
    await stage.move(before)
    run = await stage.submit(before, service_routes(two=100, one=0), CANARY)
    await until(lambda: stage.shares(TWO))

    await stage.leases.ask_to_cancel(run.name)
    outcome = await stage.outcome(run)

    assert outcome.ending is Ending.CANCELLED
    recorded = await stage.recorded.of("digits")
    assert recorded is not None and recorded.routes == before
    assert recorded.problems == () and not recorded.mentions(TWO)


@pytest.mark.parametrize(
    ("image", "pods", "why"),
    [
        ("registry.test/nothing:1", "100", "image registry.test/nothing:1 cannot be pulled"),
        (RUNNER_IMAGE, "0", "exceeded quota: few-pods"),
    ],
    ids=["image", "quota"],
)
async def test_a_switch_that_cannot_begin_is_ended_without_a_conductor(
    stage: SwitchJobs, image: str, pods: str, why: str
) -> None:
    recorded = await stage.recorded.of("digits")
    assert recorded is not None
    settings = stage.settings.model_copy(update={"runner_image": image})
    runs, client, said = SwitchRuns(stage.client, settings), stage.client, Said()
    quota = {"metadata": {"name": "few-pods"}, "spec": {"hard": {"count/pods": pods}}}
    await client.create(RESOURCE_QUOTA, quota)
    try:
        asked = stage.asked(recorded.routes, service_routes(two=100), ALL_AT_ONCE)
        run = await runs.submit("digits", asked, "ada")
        job = names.switch_job("digits", run.number)

        async def is_hindered() -> bool:
            found = await why_it_does_not_begin(client, await look(client, job))
            return found is not None and why in found

        await until(is_hindered)
        outcome = await runs.cancel(said.operation, run)
    finally:
        await client.delete(RESOURCE_QUOTA, "few-pods")

    assert outcome.ending is Ending.CANCELLED
    assert why in outcome.reason
    assert await client.find(JOB, job) is None
    assert await client.select(POD, {"job-name": job}) == []
    assert await stage.recorded.of("digits") == recorded


async def test_an_evicted_switch_goes_on_in_another_pod_and_turns_back_unwanted(
    stage: SwitchJobs, cluster: KubernetesCluster
) -> None:
    """Nobody renews the lease: the `pulumi up` that asked for it was killed as well."""
    before = service_routes(one=100)
    await stage.move(before)
    run = await stage.submit(before, service_routes(two=100, one=0), CANARY)
    await until(lambda: stage.shares(TWO))
    job = {"job-name": names.switch_job("digits", run.number)}
    [pod] = await stage.client.select(POD, job)

    cluster.kubelet.evict(PLACE, pod["metadata"]["name"])
    outcome = await stage.outcome(run, renew=False)

    assert outcome.ending is Ending.LEASE_LOST
    recorded = await stage.recorded.of("digits")
    assert recorded is not None and recorded.routes == before
    events = [each["event"] for each in await stage.switches.events("digits")]
    assert "resumed" in events


async def test_a_canary_is_judged_on_what_users_meet(stage: SwitchJobs) -> None:
    before = service_routes(one=100)
    await stage.move(before)
    callers = Callers((await find_envoys(stage.client, stage.gateway))[0].address)

    async with load(callers, rate_per_second=60) as met:
        run = await stage.submit(before, service_routes(two=100, one=0), JUDGED)
        outcome = await stage.outcome(run)
    await callers.close()

    assert outcome.ending is Ending.ADVANCED, outcome.reason
    assert outcome.candidate_requests >= 200 and outcome.candidate_errors == 0
    assert met.failures == []
    recorded = await stage.recorded.of("digits")
    assert recorded is not None and recorded.routes == service_routes(two=100, one=0)


async def test_a_revision_that_is_not_healthy_takes_no_traffic(stage: SwitchJobs) -> None:
    before = service_routes(one=100)
    await stage.move(before)
    await make_slot(stage.client, "digits-cold", replicas=0)

    outcome = await stage.outcome(
        await stage.submit(before, service_routes(cold=100, one=0), ALL_AT_ONCE)
    )

    assert outcome.ending is Ending.TURNED_BACK and not outcome.was_shown
    assert "no endpoint of its Service is ready" in outcome.reason
    recorded = await stage.recorded.of("digits")
    assert recorded is not None and recorded.routes == before


async def test_a_drain_is_a_job_of_its_own(stage: SwitchJobs) -> None:
    await stage.move(service_routes(one=100))
    drains = DrainRecords(stage.client)
    request = DrainRequest(service="digits", revision=TWO, drain_seconds=10, gateway=stage.gateway)

    run = await drains.submit(request)
    await stage.make_job("drain", names.drain_job(TWO), run.name)

    async def has_outcome() -> bool:
        found = await drains.run(run.name)
        return found is not None and found.outcome is not None

    await until(has_outcome)
    found = await drains.run(run.name)
    assert found is not None and found.outcome is not None
    assert found.outcome.open_requests == {}
    await drains.remove(TWO)
    assert await drains.run(run.name) is None
