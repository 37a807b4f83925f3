"""`TrafficHold`: keeps a slot from being deleted while traffic can reach it."""

from tidegate.local.stack import LocalStack
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import (
    Created,
    Operation,
    ResourceHandler,
)
from tidegate.provider.shared.hold_inputs import (
    TrafficHoldInputs,
    TrafficHoldOutputs,
    refuse_while_routed,
)
from tidegate.traffic.drain import drain
from tidegate.traffic.router import RouterError


class TrafficHoldHandler(ResourceHandler[TrafficHoldInputs, TrafficHoldOutputs]):
    type_name = "TrafficHold"
    description = (
        "Stands between a slot and its deletion: refuses while a route mentions the revision, "
        "then waits until its requests have ended."
    )
    inputs_model = TrafficHoldInputs
    outputs_model = TrafficHoldOutputs

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack

    async def create(
        self, operation: Operation, inputs: TrafficHoldInputs
    ) -> Created[TrafficHoldOutputs]:
        outputs = TrafficHoldOutputs(drain_limit_seconds=inputs.drain_seconds)
        return Created(inputs.revision, outputs)

    async def read(
        self, resource_id: str, inputs: TrafficHoldInputs | None
    ) -> TrafficHoldOutputs | None:
        if inputs is None:
            return None
        return TrafficHoldOutputs(drain_limit_seconds=inputs.drain_seconds)

    async def delete(
        self, operation: Operation, resource_id: str, outputs: TrafficHoldOutputs
    ) -> None:
        for routes in self._stack.gateway.discovery.services():
            refuse_while_routed(resource_id, routes)
        # Added again, the revision has to pass its gate and a switch as a new one does.
        for switch in self._stack.switches.folders():
            switch.forget_served(resource_id)
        if not await self._stack.gateway.is_serving():
            return  # nothing can be in flight
        try:
            drained = await drain(
                self._stack.router(),
                resource_id,
                outputs.drain_limit_seconds,
                operation.sleep,
                operation.status,
            )
        except RouterError as error:
            raise ProviderError(str(error)) from error
        if drained.left:
            operation.warn(f"{drained.in_words} and is stopped: they are cut")
