"""Brings a service's traffic to where a `TrafficSwitch` declares it."""

import time
from dataclasses import replace

from tidegate.local.drift import damage
from tidegate.local.stack import LocalStack
from tidegate.local.supervision import SupervisionError
from tidegate.local.switch_runs import SwitchRun, SwitchRunError
from tidegate.provider.errors import CancelledOperation, ProviderError
from tidegate.provider.handler import Operation
from tidegate.provider.shared.acting_user import acting_user
from tidegate.provider.shared.switch_endings import report_ending, where_traffic_is
from tidegate.provider.shared.traffic_inputs import TrafficSwitchInputs
from tidegate.provider.shared.traffic_refusals import not_advanced, overridden
from tidegate.spec.traffic import FULL_WEIGHT
from tidegate.traffic.drain import drain
from tidegate.traffic.plan import Stage, plan
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Ending, SwitchOutcome
from tidegate.traffic.switch_history import SwitchPlan

HEALTHY_WITHIN_SECONDS = 15.0
POLL_SECONDS = 0.2


class TrafficMover:
    """Moves at once where that is safe, and has a conductor do it step by step elsewhere."""

    def __init__(self, stack: LocalStack, stack_file: str) -> None:
        self._stack = stack
        self._stack_file = stack_file

    async def bring(self, operation: Operation, inputs: TrafficSwitchInputs) -> None:
        """Return when the declared revision takes the traffic. Raises ProviderError."""
        try:
            await self._bring(operation, inputs)
        except (RouterError, SwitchRunError, SupervisionError) as error:
            raise ProviderError(str(error)) from error
        folder = self._stack.switches.folder(inputs.service)
        override = folder.override()
        # Another one was written meanwhile, by somebody who is about to move the traffic.
        if override is not None and override.revision == inputs.revision:
            folder.clear_override()

    async def _bring(self, operation: Operation, inputs: TrafficSwitchInputs) -> None:
        self._refuse_override(inputs)
        if self._stack.gates.passing(inputs.revision) is None:
            raise ProviderError(
                f"{inputs.revision} takes no traffic: its gate has not passed here. "
                "Run `pulumi up` with the gate in the role 'required'"
            )
        run = self._stack.switches.unfinished(inputs.service)
        if run is not None and await self._finished(operation, inputs, run):
            return
        switches = self._stack.switches
        standing = switches.standing_turn_back(inputs.service, inputs.revision, inputs.retry)
        if standing is not None:
            raise ProviderError(not_advanced(standing))
        before = await self._without_remains(inputs)
        served = switches.folder(inputs.service).has_served(inputs.revision)
        stages = plan(before, inputs.routes(), inputs.strategy, served)
        if before is None or len(stages) == 1:
            await self._move_at_once(operation, inputs, before)
        else:
            await self._conduct(operation, inputs, before, stages)

    async def _finished(
        self, operation: Operation, inputs: TrafficSwitchInputs, run: SwitchRun
    ) -> bool:
        """Whether a run that an earlier `up` left has brought the traffic where it is declared.

        One towards something else is taken back first, as is one that nobody wanted any more.
        """
        if not run.request.asks_for(inputs.routes(), inputs.strategy):
            outcome = await self._stack.switches.cancel(run, operation.status)
            operation.info(
                f"the switch to {outcome.to_revision} was under way and is not declared any more: "
                f"{where_traffic_is(outcome)}"
            )
            return False
        operation.info(f"the switch to {inputs.revision} is under way; following it")
        outcome = await self._outcome(operation, run)
        if outcome.ending in {Ending.LEASE_LOST, Ending.CANCELLED}:
            return False
        report_ending(operation, outcome)
        return True

    # -- step by step -------------------------------------------------------------------------

    async def _conduct(
        self,
        operation: Operation,
        inputs: TrafficSwitchInputs,
        before: ServiceRoutes,
        stages: tuple[Stage, ...],
    ) -> None:
        service, live = inputs.service, before.live_revision
        if live is None:
            raise ProviderError(f"no revision of {service} takes traffic that could be shared")
        runs = self._stack.switches
        await self._wait_until_healthy(operation, inputs.revision)
        runs.folder(service).note_served(live)
        asked = SwitchPlan(
            routes_before=before,
            stages=stages,
            strategy=inputs.strategy,
            from_revision=live,
            to_revision=inputs.revision,
            drain_seconds=inputs.drain_seconds,
            retry_reason=inputs.retry,
        )
        run = await runs.submit(service, asked, acting_user())
        report_ending(operation, await self._outcome(operation, run))

    async def _outcome(self, operation: Operation, run: SwitchRun) -> SwitchOutcome:
        """Follow the run; a cancelled `up` turns the traffic back."""
        runs = self._stack.switches
        try:
            return await runs.follow(run, operation.sleep, operation.status)
        except CancelledOperation:
            outcome = await runs.cancel(run, operation.status)
            raise CancelledOperation(f"cancelled: {where_traffic_is(outcome)}") from None

    # -- at once ------------------------------------------------------------------------------

    async def _move_at_once(
        self, operation: Operation, inputs: TrafficSwitchInputs, before: ServiceRoutes | None
    ) -> None:
        router, target = self._stack.router(), inputs.routes()
        folder = self._stack.switches.folder(inputs.service)
        await self._wait_until_healthy(operation, inputs.revision)
        found = await damage(self._stack)
        await router.apply(target, replacing=before)
        words = f"all traffic of {inputs.service} goes to {inputs.revision}"
        operation.info(words)
        if before != target:
            weights = dict(target.weights)
            folder.note("moved", words, user=acting_user(), weights=weights, by="pulumi up")
        elif found:
            folder.note("mended", "; ".join(found), user=acting_user(), by="pulumi up")
        folder.note_served(inputs.revision)
        for left in _retired(before, target):
            drained = await drain(
                router, left, inputs.drain_seconds, operation.sleep, operation.status
            )
            if drained.left:
                operation.warn(drained.in_words)
                open_requests = dict(drained.open_requests)
                folder.note("drained", drained.in_words, openRequests=open_requests)

    async def _without_remains(self, inputs: TrafficSwitchInputs) -> ServiceRoutes | None:
        """Recorded routes, after taking back a share that no conductor looks after any more.

        Only the loss of a run's folder leaves such a share behind.
        """
        before = self._stack.recorded_routes(inputs.service)
        if before is None or before.weights.get(inputs.revision, 0) in {0, FULL_WEIGHT}:
            return before
        others = {name: w for name, w in before.weights.items() if name != inputs.revision}
        live = max(others, key=lambda name: others[name])
        clean = replace(before, weights={**dict.fromkeys(others, 0), live: FULL_WEIGHT})
        await self._stack.router().apply(clean, replacing=before)
        return clean

    # -- conditions ---------------------------------------------------------------------------

    def _refuse_override(self, inputs: TrafficSwitchInputs) -> None:
        override = self._stack.switches.folder(inputs.service).override()
        if override is not None and override.revision != inputs.revision:
            raise ProviderError(overridden(override, inputs.revision, self._stack_file))

    async def _wait_until_healthy(self, operation: Operation, revision: str) -> None:
        router = self._stack.router()
        deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
        while not await router.is_healthy(revision):
            if time.monotonic() > deadline:
                raise ProviderError(
                    f"{revision} takes no traffic: the gateway's health checks have "
                    f"not found it healthy for {HEALTHY_WITHIN_SECONDS:g} s"
                )
            operation.status(f"waiting until {revision} is healthy at the gateway")
            await operation.sleep(POLL_SECONDS)


def _retired(before: ServiceRoutes | None, target: ServiceRoutes) -> list[str]:
    """Revisions that took traffic before and take none now."""
    if before is None:
        return []
    return sorted(
        revision
        for revision, weight in before.weights.items()
        if weight > 0 and not target.weights.get(revision)
    )
