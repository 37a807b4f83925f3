"""`TrafficHold` of a cluster: keeps a slot from being deleted while traffic can reach it."""

from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import Created, Operation, ResourceHandler
from tidegate.provider.kubernetes.access import ClusterAccess, as_provider_error
from tidegate.provider.kubernetes.drains import Drains
from tidegate.provider.shared.hold_inputs import (
    TrafficHoldInputs,
    TrafficHoldOutputs,
    refuse_while_routed,
)
from tidegate.records.switches import SwitchRecords


class TrafficHoldHandler(ResourceHandler[TrafficHoldInputs, TrafficHoldOutputs]):
    type_name = "TrafficHold"
    description = (
        "Stands between a slot and its deletion: refuses while a route mentions the revision, "
        "then waits until its requests have ended."
    )
    inputs_model = TrafficHoldInputs
    outputs_model = TrafficHoldOutputs

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access

    async def create(
        self, operation: Operation, inputs: TrafficHoldInputs
    ) -> Created[TrafficHoldOutputs]:
        return Created(inputs.revision, _outputs(inputs))

    async def read(
        self, resource_id: str, inputs: TrafficHoldInputs | None
    ) -> TrafficHoldOutputs | None:
        return _outputs(inputs) if inputs is not None else None

    async def delete(
        self, operation: Operation, resource_id: str, outputs: TrafficHoldOutputs
    ) -> None:
        cluster, service = self._access.cluster(), outputs.service
        if service is None:
            raise ProviderError(
                f"{resource_id} stays: its state does not say whose revision it is. "
                "Run `pulumi refresh`, which reads it"
            )
        with as_provider_error(f"{resource_id} stays"):
            recorded = await self._access.routes().of(service)
            if recorded is not None:
                refuse_while_routed(resource_id, recorded.routes)
            # Added again, the revision has to pass its gate and a switch as a new one does.
            await SwitchRecords(cluster).forget_served(service, resource_id)
            await Drains(cluster, self._access.configuration).drain(
                operation,
                service,
                resource_id,
                outputs.drain_limit_seconds,
                is_pinned=recorded is not None and recorded.mentions(resource_id),
            )


def _outputs(inputs: TrafficHoldInputs) -> TrafficHoldOutputs:
    return TrafficHoldOutputs(drain_limit_seconds=inputs.drain_seconds, service=inputs.service)
