"""Brings a service's traffic to where a `TrafficSwitch` of a cluster declares it.

Every move is a Job: servers and the gateway's counters can be reached from inside only.
"""

from dataclasses import replace

from tidegate.cluster.errors import ClusterError
from tidegate.provider.errors import CancelledOperation, ProviderError
from tidegate.provider.handler import Operation
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.drains import Drains
from tidegate.provider.kubernetes.switch_runs import SwitchRunError, SwitchRuns
from tidegate.provider.shared.acting_user import acting_user
from tidegate.provider.shared.switch_endings import report_ending, where_traffic_is
from tidegate.provider.shared.traffic_inputs import TrafficSwitchInputs
from tidegate.provider.shared.traffic_refusals import not_advanced, overridden
from tidegate.records.gates import GateRecords
from tidegate.records.switch_run import SwitchRun
from tidegate.spec.traffic import FULL_WEIGHT, SwitchStrategy
from tidegate.traffic.plan import Stage, plan
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Ending, SwitchOutcome
from tidegate.traffic.switch_history import SwitchPlan


class TrafficMover:
    """Submits moves, follows them, and takes up what an earlier `up` left."""

    def __init__(self, access: ClusterAccess) -> None:
        cluster, settings = access.cluster(), access.configuration
        self._settings = settings
        self._runs = SwitchRuns(cluster, settings)
        self._gates = GateRecords(cluster)
        self._drains = Drains(cluster, settings)
        self._routes = access.routes()

    async def bring(self, operation: Operation, inputs: TrafficSwitchInputs) -> None:
        """Return when the declared revision takes the traffic. Raises ProviderError."""
        records = self._runs.records
        try:
            await self._bring(operation, inputs)
            override = await records.override(inputs.service)
            # Another one was written meanwhile, by somebody who is about to move the traffic.
            if override is not None and override.revision == inputs.revision:
                await records.clear_override(inputs.service)
        except (ClusterError, SwitchRunError) as error:
            raise ProviderError(f"the traffic of {inputs.service}: {error}") from error

    async def _bring(self, operation: Operation, inputs: TrafficSwitchInputs) -> None:
        await self._refuse_what_may_not_be(inputs)
        for revision in inputs.routes().weights:
            # A drain releases its revision's rule when it ends.
            await self._drains.forget(revision)
        records = self._runs.records
        run = await records.unfinished(inputs.service)
        if run is not None and await self._finished(operation, inputs, run):
            return
        standing = await records.standing_turn_back(inputs.service, inputs.revision, inputs.retry)
        if standing is not None:
            raise ProviderError(not_advanced(standing))
        if await self._is_there(inputs):
            operation.info(f"all traffic of {inputs.service} goes to {inputs.revision}")
            return
        # Here, and not by a Job that goes on trying.
        await self._routes.check_kinds(inputs.service)
        before = await self._without_remains(operation, inputs)
        live = before.live_revision if before is not None else None
        if live is not None and live != inputs.revision:
            await records.note_served(inputs.service, live)
        served = await records.has_served(inputs.service, inputs.revision)
        stages = plan(before, inputs.routes(), inputs.strategy, served)
        outcome = await self._carry_out(operation, inputs, before, stages, live or inputs.revision)
        report_ending(operation, outcome)

    async def _refuse_what_may_not_be(self, inputs: TrafficSwitchInputs) -> None:
        override = await self._runs.records.override(inputs.service)
        if override is not None and override.revision != inputs.revision:
            raise ProviderError(overridden(override, inputs.revision, self._settings.stack_file))
        gate = await self._gates.find(inputs.revision)
        if gate is None or not gate.has_passed:
            raise ProviderError(
                f"{inputs.revision} takes no traffic: its gate has not passed here. "
                "Run `pulumi up` with the gate in the role 'required'"
            )

    async def _finished(
        self, operation: Operation, inputs: TrafficSwitchInputs, run: SwitchRun
    ) -> bool:
        """Whether a run that an earlier `up` left has brought the traffic where it is declared.

        One towards something else is taken back first, as is one that nobody wanted any more.
        """
        if not run.request.asks_for(inputs.routes(), inputs.strategy):
            outcome = await self._runs.cancel(operation, run)
            operation.info(
                f"the switch to {outcome.to_revision} was under way and is not declared any more: "
                f"{where_traffic_is(outcome)}"
            )
            return False
        operation.info(f"the switch to {inputs.revision} is under way; following it")
        outcome = await self._followed(operation, run)
        if outcome.ending in {Ending.LEASE_LOST, Ending.CANCELLED}:
            return False
        report_ending(operation, outcome)
        return True

    async def _is_there(self, inputs: TrafficSwitchInputs) -> bool:
        """Whether a switch that nobody took note of has ended as declared."""
        recorded = await self._routes.of(inputs.service)
        return (
            recorded is not None
            and recorded.is_settled
            and not recorded.problems
            and recorded.routes == inputs.routes()
            and await self._runs.records.has_served(inputs.service, inputs.revision)
        )

    async def _without_remains(
        self, operation: Operation, inputs: TrafficSwitchInputs
    ) -> ServiceRoutes | None:
        """Recorded routes, after taking back a share that no conductor looks after any more.

        Only the loss of a run's record leaves such a share behind.
        """
        recorded = await self._routes.of(inputs.service)
        before = recorded.routes if recorded is not None else None
        if before is None or before.weights.get(inputs.revision, 0) in {0, FULL_WEIGHT}:
            return before
        others = {name: w for name, w in before.weights.items() if name != inputs.revision}
        live = max(others, key=lambda name: others[name])
        clean = replace(before, weights={**dict.fromkeys(others, 0), live: FULL_WEIGHT})
        back = inputs.model_copy(update={"revision": live, "strategy": SwitchStrategy()})
        stages = (Stage("final", clean, 0.0, 0.0),)
        report_ending(operation, await self._carry_out(operation, back, before, stages, live))
        return clean

    async def _carry_out(
        self,
        operation: Operation,
        inputs: TrafficSwitchInputs,
        before: ServiceRoutes | None,
        stages: tuple[Stage, ...],
        from_revision: str,
    ) -> SwitchOutcome:
        asked = SwitchPlan(
            routes_before=before,
            stages=stages,
            strategy=inputs.strategy,
            from_revision=from_revision,
            to_revision=inputs.revision,
            drain_seconds=inputs.drain_seconds,
            retry_reason=inputs.retry,
        )
        run = await self._runs.submit(inputs.service, asked, acting_user())
        return await self._followed(operation, run)

    async def _followed(self, operation: Operation, run: SwitchRun) -> SwitchOutcome:
        """Follow the run; a cancelled `up` turns the traffic back."""
        try:
            return await self._runs.follow(operation, run)
        except CancelledOperation:
            outcome = await self._runs.cancel(operation, run)
            raise CancelledOperation(f"cancelled: {where_traffic_is(outcome)}") from None
