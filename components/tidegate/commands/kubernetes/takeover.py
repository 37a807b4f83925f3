"""Moves a service's traffic on a cluster at once, past the engine: `tidegate rollback --now`.

The move is a switch's Job, as every other one: servers and Envoys answer inside the cluster only.
No lock of the stack is asked for, and a switch that is under way is not waited for: it finds the
override, or other routes than its own, and touches nothing any more.
"""

import contextlib
import time
from collections.abc import Mapping

from tidegate.cluster.client import Cluster
from tidegate.cluster.endpoints import ready_endpoints
from tidegate.cluster.errors import ClusterError
from tidegate.commands.kubernetes.asked_switches import AskedSwitches, Say
from tidegate.commands.kubernetes.revisions import release_in
from tidegate.gate.clock import utc_now
from tidegate.jobs.runner_jobs import RunnerSettings
from tidegate.records.gates import GateRecords
from tidegate.records.switch_run import SwitchRun
from tidegate.spec.traffic import FULL_WEIGHT
from tidegate.traffic.gateway_api.objects import KINDS
from tidegate.traffic.gateway_api.recorded import Recorded, RecordedRoutes
from tidegate.traffic.plan import Stage
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Ending, Override
from tidegate.traffic.switch_history import SwitchPlan
from tidegate.traffic.takeover import (
    Takeover,
    TakeoverError,
    always_changed,
    check_evidence,
    full_weight_to,
    takeover_note,
)

ATTEMPTS = 5
"""How often the routes may change while the Job starts: a canary's conductor sets them rarely."""


class ClusterTakeover:
    """One move of one service's traffic to a revision."""

    def __init__(
        self, cluster: Cluster, settings: RunnerSettings, service: str, revision: str, by: str
    ) -> None:
        self._cluster = cluster
        self._service = service
        self._revision = revision
        self._by = by
        self._asked = AskedSwitches(cluster, settings, by)
        self._switches = self._asked.records
        self._run: SwitchRun | None = None

    async def carry_out(self, say: Say) -> Takeover:
        """Return once every Envoy has confirmed the routes.

        What took traffic before goes on answering what it had begun. Raises TakeoverError and
        ClusterError; nothing is changed then.
        """
        newest = await self._check()
        overridden = await self._switches.override(self._service)
        override = Override(
            service=self._service, revision=self._revision, at=utc_now(), by=self._by
        )
        # Before the move: a switch of the engine that comes in between must see it and stop.
        await self._switches.write_override(override)
        began = time.monotonic()
        try:
            before, after = await self._move(newest, say)
        except BaseException:
            with contextlib.suppress(ClusterError):
                await self._take_back(newest, overridden)
            raise
        taken = Takeover(self._service, self._revision, before, after, time.monotonic() - began)
        try:
            await self._note(taken)
        except ClusterError as error:  # the traffic has moved all the same
            say(f"the journal does not tell of it: {error}")
        return taken

    # -- conditions ---------------------------------------------------------------------------

    async def _check(self) -> SwitchRun:
        """The service's newest switch, when the revision may take the traffic."""
        service, revision = self._service, self._revision
        newest = await self._switches.latest(service)
        if newest is None:
            raise TakeoverError(
                f"{service} has no switch in namespace {self._cluster.namespace}; run `pulumi up`"
            )
        gate = await GateRecords(self._cluster).find(revision)
        turned_back = await self._switches.standing_turn_back(service, revision, retry=None)
        check_evidence(service, revision, gate is not None and gate.has_passed, turned_back)
        if not (await ready_endpoints(self._cluster, revision))[revision]:
            raise TakeoverError(
                f"{revision} takes no traffic: none of its pods is ready, and users would be worse "
                f"off. See `kubectl get pods --namespace {self._cluster.namespace} --selector "
                f"tidegate.dev/revision={revision}`. Instead, to start them and wait for them: "
                f"tidegate rollback {service} --up"
            )
        return newest

    # -- the move -----------------------------------------------------------------------------

    async def _move(
        self, newest: SwitchRun, say: Say
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Weights before and after. Asks for a switch until the routes it was asked to replace
        are those that it found."""
        for _ in range(ATTEMPTS):
            recorded = await self._recorded(newest)
            if recorded is None:
                raise TakeoverError(f"{self._service} has no routes here; run `pulumi up`")
            before, after = recorded.routes, full_weight_to(recorded.routes, self._revision)
            if before == after and recorded.is_settled and not recorded.problems:
                return before.weights, after.weights
            self._run = run = await self._submit(newest, before, after)
            outcome = await self._asked.moved(run, say)
            if outcome is None or outcome.ending is Ending.ADVANCED:
                return before.weights, after.weights
            if outcome.ending is not Ending.SUPERSEDED:
                raise TakeoverError(f"the traffic was not moved: {outcome.reason}")
            say(f"{outcome.reason}; asking again")
        raise always_changed(self._service, ATTEMPTS)

    async def _recorded(self, newest: SwitchRun) -> Recorded | None:
        return await RecordedRoutes(self._cluster, newest.gateway, KINDS).of(self._service)

    async def _submit(
        self, newest: SwitchRun, before: ServiceRoutes, after: ServiceRoutes
    ) -> SwitchRun:
        """As the engine's last switch was asked for, so that `up` finds what it would have done."""
        others = {name: weight for name, weight in before.weights.items() if name != self._revision}
        plan = SwitchPlan(
            routes_before=before,
            stages=(Stage("final", after, 0.0, 0.0),),
            strategy=newest.request.strategy,
            from_revision=max(others, key=lambda name: others[name], default=self._revision),
            to_revision=self._revision,
            drain_seconds=newest.request.drain_seconds,
            retry_reason=None,
        )
        return await self._asked.submit(self._service, plan, newest.gateway)

    # -- afterwards ---------------------------------------------------------------------------

    async def _note(self, taken: Takeover) -> None:
        await self._switches.note(
            self._service,
            "rollback",
            takeover_note(self._by, self._revision),
            user=self._by,
            revision=self._revision,
            release=release_in(self._service, self._revision),
            weightsBefore=dict(taken.before),
            weights=dict(taken.after),
            seconds=round(taken.seconds, 3),
        )

    async def _take_back(self, newest: SwitchRun, overridden: Override | None) -> None:
        """End what was begun. The override stays when the traffic has moved all the same."""
        if self._run is not None:
            await self._asked.stop(self._run)
        recorded = await self._recorded(newest)
        if recorded is not None and recorded.routes.weights.get(self._revision) == FULL_WEIGHT:
            return
        if overridden is None:
            await self._switches.clear_override(self._service)
        else:
            await self._switches.write_override(overridden)
