"""`ColdStandby`: the standby's slot has no pods once the traffic is elsewhere."""

from pydantic import Field

from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import (
    Created,
    Diff,
    Operation,
    Outputs,
    ResourceHandler,
    ResourceModel,
)
from tidegate.provider.kubernetes.access import ClusterAccess, as_provider_error
from tidegate.provider.kubernetes.scaling_down import ScalingDown
from tidegate.provider.kubernetes.slot_scale import SlotScale, scales_of

COLD = "zero replicas"


class ColdStandbyInputs(ResourceModel):
    service: str = Field(description="Service whose standby it is; also the resource's id.")
    revision: str = Field(description="Revision that stands by without pods.")
    drain_seconds: float = Field(ge=0, description="How long requests in flight may take to end.")


class ColdStandbyOutputs(Outputs):
    condition: str = Field(default=COLD, description="How many replicas the standby has.")


class ColdStandbyHandler(ResourceHandler[ColdStandbyInputs, ColdStandbyOutputs]):
    type_name = "ColdStandby"
    description = "Scales the standby's slot to zero once the traffic is elsewhere."
    inputs_model = ColdStandbyInputs
    outputs_model = ColdStandbyOutputs

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access

    async def foresee(self, inputs: ColdStandbyInputs) -> tuple[str, ...]:
        return tuple(
            f"{each.revision} goes to zero replicas once the traffic is elsewhere"
            for each in await self._running(inputs)
        )

    async def diff(
        self,
        resource_id: str,
        outputs: ColdStandbyOutputs,
        old: ColdStandbyInputs | None,
        new: ColdStandbyInputs,
    ) -> Diff:
        """Compare with the live workload: a killed `up` may have started pods."""
        if new.service != resource_id:
            return Diff(replace=("service",))
        changed = set((await super().diff(resource_id, outputs, old, new)).changed)
        notes = await self.foresee(new)
        if notes:
            changed.add("condition")
        return Diff(changed=tuple(sorted(changed)), notes=notes)

    async def create(
        self, operation: Operation, inputs: ColdStandbyInputs
    ) -> Created[ColdStandbyOutputs]:
        down = ScalingDown(self._access)
        with as_provider_error(f"{inputs.revision} keeps its pods"):
            for slot in await self._running(inputs):
                why = (await down.users(inputs.service)).of(slot.revision)
                if why is not None:
                    raise ProviderError(f"{slot.revision} keeps its pods: {why}")
                await down.to_zero(operation, inputs.service, slot, inputs.drain_seconds)
                operation.info(f"{slot.revision} stands by with zero replicas")
        return Created(inputs.service, ColdStandbyOutputs())

    async def read(
        self, resource_id: str, inputs: ColdStandbyInputs | None
    ) -> ColdStandbyOutputs | None:
        if inputs is None:
            return None
        running = sum(each.replicas for each in await self._running(inputs))
        return ColdStandbyOutputs(condition=f"{running} replicas" if running else COLD)

    async def delete(
        self, operation: Operation, resource_id: str, outputs: ColdStandbyOutputs
    ) -> None:
        """Nothing: whoever needs the pods again starts them."""

    async def _running(self, inputs: ColdStandbyInputs) -> list[SlotScale]:
        """The standby's workload when it shall have pods."""
        with as_provider_error():
            found = await scales_of(self._access.cluster(), inputs.service)
        return [each for each in found if each.revision == inputs.revision and each.replicas]
