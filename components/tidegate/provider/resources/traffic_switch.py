"""`TrafficSwitch`: decides which revision of a service takes the traffic."""

import time

from pydantic import Field

from tidegate.local.slots import SlotError
from tidegate.local.stack import LocalStack
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import (
    Created,
    Diff,
    Operation,
    Outputs,
    ResourceHandler,
    ResourceModel,
)
from tidegate.traffic.drain import drain
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes

HEALTHY_WITHIN_SECONDS = 15.0
POLL_SECONDS = 0.2


class TrafficSwitchInputs(ResourceModel):
    service: str = Field(description="Service whose routes this switch owns; also its id.")
    models: list[str] = Field(min_length=1, description="Models of the service, as in the path.")
    revision: str = Field(description="Revision that takes all of the traffic.")
    standby: str | None = Field(
        default=None, description="Revision that stays referenced with weight 0."
    )
    request_timeout_seconds: float = Field(gt=0, description="Limit for one HTTP request.")
    drain_seconds: float = Field(ge=0, description="How long requests in flight may take to end.")

    def routes(self) -> ServiceRoutes:
        weights = {self.revision: 100}
        if self.standby is not None:
            weights[self.standby] = 0
        return ServiceRoutes(
            self.service, tuple(self.models), weights, self.request_timeout_seconds
        )


class TrafficSwitchOutputs(Outputs):
    live_revision: str = Field(description="Revision that takes the traffic.")


class TrafficSwitchHandler(ResourceHandler[TrafficSwitchInputs, TrafficSwitchOutputs]):
    type_name = "TrafficSwitch"
    description = "Owns the routes of one service; moves all of its traffic in one atomic step."
    inputs_model = TrafficSwitchInputs
    outputs_model = TrafficSwitchOutputs

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack

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
        changed = set((await super().diff(resource_id, outputs, old, new)).changed)
        if await self._observed(new.service) != new.routes():
            changed.add("liveRevision")
        if outputs.live_revision != new.revision:
            changed.add("revision")
        return Diff(changed=tuple(sorted(changed)))

    async def create(
        self, operation: Operation, inputs: TrafficSwitchInputs
    ) -> Created[TrafficSwitchOutputs]:
        self._stack.note_switch(inputs.service, recorded=False)
        before = self._recorded_routes(inputs.service)
        await self._move(operation, inputs, before)
        if before is not None:
            await self._stop_strays(operation)
        return Created(inputs.service, TrafficSwitchOutputs(live_revision=inputs.revision))

    async def update(
        self,
        operation: Operation,
        resource_id: str,
        outputs: TrafficSwitchOutputs,
        old: TrafficSwitchInputs | None,
        new: TrafficSwitchInputs,
    ) -> TrafficSwitchOutputs:
        before = self._recorded_routes(new.service)
        await self._move(operation, new, before)
        if before is None or before.live_revision != outputs.live_revision:
            # The data plane was not where the engine had left it: an `up` was interrupted, and
            # what it had created may be known to nobody.
            await self._stop_strays(operation)
        return TrafficSwitchOutputs(live_revision=new.revision)

    async def read(
        self, resource_id: str, inputs: TrafficSwitchInputs | None
    ) -> TrafficSwitchOutputs | None:
        recorded = self._recorded_routes(resource_id)
        if recorded is None or recorded.live_revision is None:
            return None
        if await self._stack.gateway.is_serving() and await self._observed(resource_id) is None:
            return TrafficSwitchOutputs(live_revision="unknown: the route file was edited by hand")
        return TrafficSwitchOutputs(live_revision=recorded.live_revision)

    async def delete(
        self, operation: Operation, resource_id: str, outputs: TrafficSwitchOutputs
    ) -> None:
        if await self._stack.gateway.is_serving():
            try:
                await self._stack.router().withdraw(resource_id)
            except RouterError as error:
                raise ProviderError(str(error)) from error
        else:
            self._stack.gateway.discovery.remove_service(resource_id)
        self._stack.forget_switch(resource_id)

    # -- steps --------------------------------------------------------------------------------

    async def _move(
        self,
        operation: Operation,
        inputs: TrafficSwitchInputs,
        before: ServiceRoutes | None,
    ) -> None:
        if self._stack.gates.passing(inputs.revision) is None:
            raise ProviderError(
                f"{inputs.revision} takes no traffic: its gate has not passed here. "
                "Run `pulumi up` with the gate in the role 'required'"
            )
        try:
            router = self._stack.router()
            deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
            while not await router.is_healthy(inputs.revision):
                if time.monotonic() > deadline:
                    raise ProviderError(
                        f"{inputs.revision} takes no traffic: the gateway's health checks have "
                        f"not found it healthy for {HEALTHY_WITHIN_SECONDS:g} s"
                    )
                operation.status(f"waiting until {inputs.revision} is healthy at the gateway")
                await operation.sleep(POLL_SECONDS)
            await router.apply(inputs.routes())
            operation.info(f"all traffic of {inputs.service} goes to {inputs.revision}")
            for left in _retired(before, inputs):
                open_requests = await drain(
                    router, left, inputs.drain_seconds, operation.sleep, operation.status
                )
                if open_requests:
                    operation.warn(f"{left} still answers {open_requests} requests")
        except RouterError as error:
            raise ProviderError(str(error)) from error

    async def _observed(self, service: str) -> ServiceRoutes | None:
        try:
            return await self._stack.router().observe(service)
        except RouterError:
            return None

    def _recorded_routes(self, service: str) -> ServiceRoutes | None:
        services = self._stack.gateway.discovery.services()
        return next((each for each in services if each.service == service), None)

    async def _stop_strays(self, operation: Operation) -> None:
        try:
            for revision in await self._stack.stop_strays(operation.sleep):
                operation.info(f"stopped {revision}: no stack declares it, no route mentions it")
        except SlotError as error:
            raise ProviderError(str(error)) from error


def _retired(before: ServiceRoutes | None, inputs: TrafficSwitchInputs) -> list[str]:
    """Revisions that took traffic before and take none now."""
    if before is None:
        return []
    return sorted(
        revision
        for revision, weight in before.weights.items()
        if weight > 0 and revision != inputs.revision
    )
