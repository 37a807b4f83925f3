"""`TrafficSwitch`: decides which revision of a service takes the traffic."""

import asyncio

from tidegate.local.drift import damage
from tidegate.local.slots import SlotError
from tidegate.local.stack import LocalStack
from tidegate.local.supervision import SupervisionError
from tidegate.local.switch_runs import SwitchRunError
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import (
    CheckFailure,
    Created,
    Diff,
    Operation,
    ResourceHandler,
)
from tidegate.provider.resources.traffic_mover import TrafficMover
from tidegate.provider.shared.traffic_inputs import (
    IN_FORCE,
    TrafficSwitchInputs,
    TrafficSwitchOutputs,
)
from tidegate.provider.shared.traffic_refusals import overridden
from tidegate.spec.errors import SpecError
from tidegate.traffic.differences import differences
from tidegate.traffic.plan import check_rate
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes

RATE_SECONDS = 1.0


class TrafficSwitchHandler(ResourceHandler[TrafficSwitchInputs, TrafficSwitchOutputs]):
    type_name = "TrafficSwitch"
    description = (
        "Owns the routes of one service. Moves its traffic at once, or step by step while it "
        "watches what users meet."
    )
    inputs_model = TrafficSwitchInputs
    outputs_model = TrafficSwitchOutputs

    def __init__(self, stack: LocalStack, stack_file: str) -> None:
        self._stack = stack
        self._stack_file = stack_file
        self._mover = TrafficMover(stack, stack_file)

    async def check(self, inputs: TrafficSwitchInputs) -> list[CheckFailure]:
        override = self._stack.switches.folder(inputs.service).override()
        if override is not None and override.revision != inputs.revision:
            reason = overridden(override, inputs.revision, self._stack_file)
            return [CheckFailure("revision", reason)]
        try:
            if self._would_step(inputs):
                check_rate(inputs.strategy, await self._users_rate(inputs.service))
        except SpecError as error:
            key = f"{self._stack_file}: tidegate:services.{inputs.service}"
            return [CheckFailure("strategy", f"{key}: {error}")]
        return []

    async def diff(
        self,
        resource_id: str,
        outputs: TrafficSwitchOutputs,
        old: TrafficSwitchInputs | None,
        new: TrafficSwitchInputs,
    ) -> Diff:
        """Compare with the live data plane: after a killed `up`, old inputs say nothing."""
        if new.service != resource_id:
            return Diff(replace=("service",))
        self._stack.note_switch(new.service, recorded=True)
        # A reason to try again is only read when a switch was turned back.
        changed = set((await super().diff(resource_id, outputs, old, new)).changed) - {"retry"}
        notes: list[str] = []
        if await self._observed(new.service) != new.routes():
            changed.add("liveRevision")
            if old is None or old.routes() == new.routes():
                notes = await self._drift(new, changed)
        run = self._stack.switches.unfinished(new.service)
        if run is not None:
            changed.add("liveRevision")
            progress = run.progress
            where = f": {progress.message}" if progress is not None else ""
            notes = [f"a switch to {run.request.to_revision} is under way{where}"]
        override = self._stack.switches.folder(new.service).override()
        if outputs.live_revision != new.revision or override is not None:
            changed.add("revision")
        return Diff(changed=tuple(sorted(changed)), notes=tuple(notes))

    async def create(
        self, operation: Operation, inputs: TrafficSwitchInputs
    ) -> Created[TrafficSwitchOutputs]:
        self._stack.note_switch(inputs.service, recorded=False)
        before = self._stack.recorded_routes(inputs.service)
        await self._mover.bring(operation, inputs)
        if before is not None:
            await self._stop_strays(operation)
        return Created(inputs.service, _reached(inputs))

    async def update(
        self,
        operation: Operation,
        resource_id: str,
        outputs: TrafficSwitchOutputs,
        old: TrafficSwitchInputs | None,
        new: TrafficSwitchInputs,
    ) -> TrafficSwitchOutputs:
        before = self._stack.recorded_routes(new.service)
        await self._mover.bring(operation, new)
        if before is None or before.live_revision != outputs.live_revision:
            # The data plane was not where the engine had left it: an `up` was interrupted, and
            # what it had created may be known to nobody.
            await self._stop_strays(operation)
        return _reached(new)

    async def read(
        self, resource_id: str, inputs: TrafficSwitchInputs | None
    ) -> TrafficSwitchOutputs | None:
        recorded = self._stack.recorded_routes(resource_id)
        if recorded is None or recorded.live_revision is None:
            return None
        found = await damage(self._stack)
        live = recorded.live_revision
        if found and await self._stack.gateway.is_serving():
            live = f"unknown: {'; '.join(found)}"
        return TrafficSwitchOutputs(
            live_revision=live,
            weights=dict(recorded.weights),
            condition="; ".join(found) or IN_FORCE,
        )

    async def delete(
        self, operation: Operation, resource_id: str, outputs: TrafficSwitchOutputs
    ) -> None:
        try:
            await self._stack.switches.remove(resource_id, operation.status)
            if await self._stack.gateway.is_serving():
                await self._stack.router().withdraw(resource_id)
            else:
                self._stack.gateway.discovery.remove_service(resource_id)
        except (RouterError, SupervisionError, SwitchRunError) as error:
            raise ProviderError(str(error)) from error
        self._stack.forget_switch(resource_id)

    # -- questions ----------------------------------------------------------------------------

    def _would_step(self, inputs: TrafficSwitchInputs) -> bool:
        """Whether an update would begin a canary."""
        switches = self._stack.switches
        live = _live(self._stack.recorded_routes(inputs.service))
        return (
            bool(inputs.strategy.steps)
            and live not in {None, inputs.revision}
            and switches.unfinished(inputs.service) is None
            and not switches.folder(inputs.service).has_served(inputs.revision)
        )

    async def _users_rate(self, service: str) -> float:
        """Users' requests per second now; 0 when the router cannot be asked."""
        try:
            before = await self._users_requests(service)
            await asyncio.sleep(RATE_SECONDS)
            after = await self._users_requests(service)
        except RouterError:
            return 0.0
        return max(0, after - before) / RATE_SECONDS

    async def _users_requests(self, service: str) -> int:
        routes = self._stack.recorded_routes(service)
        taking = [each for each, weight in routes.weights.items() if weight] if routes else []
        router = self._stack.router()
        return sum([(await router.user_counters(each)).requests for each in taking])

    async def _observed(self, service: str) -> ServiceRoutes | None:
        try:
            return await self._stack.router().observe(service)
        except RouterError:
            return None

    async def _drift(self, declared: TrafficSwitchInputs, changed: set[str]) -> list[str]:
        """What differs although nobody declared it; adds the outputs that show it to `changed`."""
        recorded = self._stack.recorded_routes(declared.service)
        damaged = await damage(self._stack)
        if damaged:
            changed.add("condition")
        if recorded is not None and recorded.weights != declared.routes().weights:
            changed.add("weights")
        return [*damaged, *differences(recorded, declared.routes())]

    async def _stop_strays(self, operation: Operation) -> None:
        try:
            for revision in await self._stack.stop_strays(operation.sleep):
                operation.info(f"stopped {revision}: no stack declares it, no route mentions it")
        except SlotError as error:
            raise ProviderError(str(error)) from error


def _reached(inputs: TrafficSwitchInputs) -> TrafficSwitchOutputs:
    return TrafficSwitchOutputs(
        live_revision=inputs.revision, weights=dict(inputs.routes().weights)
    )


def _live(routes: ServiceRoutes | None) -> str | None:
    return routes.live_revision if routes is not None else None
