"""Switches and drains as the provider submits them: records, leases and Jobs in one namespace."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Literal

from tests.cluster.harness.programs import RUNNER_IMAGE
from tests.cluster.routed_service import kind_of
from tidegate.cluster import names
from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import UnreachableError
from tidegate.cluster.kinds import JOB
from tidegate.cluster.leases import Leases
from tidegate.jobs.runner_jobs import RunnerJob, job_object
from tidegate.kubernetes.runner_access import runner_access
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.traffic import SwitchStrategy
from tidegate.traffic.gateway_api.recorded import RecordedRoutes
from tidegate.traffic.plan import plan
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import SwitchOutcome
from tidegate.traffic.switch_history import SwitchPlan

OUTCOME_SECONDS = 150.0


class SwitchJobs:
    """The runner's account has to be there: see `make_runner_account`."""

    def __init__(self, client: Cluster, gateway: GatewayReference) -> None:
        self.client = client
        self.gateway = gateway
        self.switches = SwitchRecords(client)
        self.leases = Leases(client)
        self.recorded = RecordedRoutes(client, gateway)
        self.settings = KubernetesConfiguration(
            namespace=client.namespace,
            gateway=gateway,
            runner_image=RUNNER_IMAGE,
            environment="test",
            stack_file="stacks/Pulumi.test.yaml",
            evidence="/var/run/tidegate/evidence",
        )

    async def submit(
        self, before: ServiceRoutes | None, target: ServiceRoutes, strategy: SwitchStrategy
    ) -> SwitchRun:
        """As the provider does it."""
        asked = self.asked(before, target, strategy)
        run = await self.switches.submit("digits", asked, self.gateway, "ada")
        await self.make_job("switch", names.switch_job("digits", run.number), run.name)
        return run

    def asked(
        self, before: ServiceRoutes | None, target: ServiceRoutes, strategy: SwitchStrategy
    ) -> SwitchPlan:
        to = str(target.live_revision)
        return SwitchPlan(
            routes_before=before,
            stages=plan(before, target, strategy, served_before=False),
            strategy=strategy,
            from_revision=str(before.live_revision) if before is not None else to,
            to_revision=to,
            drain_seconds=10,
            retry_reason=None,
        )

    async def make_job(self, kind: Literal["switch", "drain"], name: str, run: str) -> None:
        job = RunnerJob(name=name, run=run, kind=kind, service="digits", revision=None)
        await self.client.create(JOB, job_object(job, self.settings))

    async def outcome(self, run: SwitchRun, renew: bool = True) -> SwitchOutcome:
        """Wait for it, and renew the lease meanwhile unless told otherwise."""
        deadline = time.monotonic() + OUTCOME_SECONDS
        while True:
            assert time.monotonic() < deadline, "there is no outcome"
            with contextlib.suppress(UnreachableError):
                found = await self.switches.run(run.name)
                assert found is not None, "there is no record"
                if found.outcome is not None:
                    return found.outcome
                if renew:
                    await self.leases.renew(run.name, "digits")
            await asyncio.sleep(0.3)

    async def move(
        self, target: ServiceRoutes, strategy: SwitchStrategy | None = None
    ) -> SwitchOutcome:
        """From whatever is in force; without a strategy all at once."""
        recorded = await self.recorded.of("digits")
        before = recorded.routes if recorded is not None else None
        run = await self.submit(before, target, strategy or SwitchStrategy())
        return await self.outcome(run)

    async def shares(self, revision: str) -> bool:
        """Whether the revision has a part of the traffic."""
        recorded = await self.recorded.of("digits")
        return recorded is not None and bool(recorded.routes.weights.get(revision))


async def make_runner_account(client: Cluster, gateway: GatewayReference) -> None:
    for manifest in runner_access(client.namespace, gateway, "tests/runner-jobs"):
        await client.apply(kind_of(manifest), dict(manifest))
