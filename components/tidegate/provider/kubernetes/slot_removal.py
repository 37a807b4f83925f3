"""`SlotRemoval`: removes a slot's objects once the stack has forgotten every one of them."""

from pydantic import Field

from tidegate.provider.handler import Created, Operation, Outputs, ResourceHandler, ResourceModel
from tidegate.provider.kubernetes.access import ClusterAccess, as_provider_error
from tidegate.provider.kubernetes.scaling_down import ScalingDown
from tidegate.provider.kubernetes.slot_parts import remove_slot


class SlotRemovalInputs(ResourceModel):
    service: str
    revision: str = Field(description="Revision whose slot it is; also the resource's id.")


class SlotRemovalOutputs(Outputs):
    service: str


class SlotRemovalHandler(ResourceHandler[SlotRemovalInputs, SlotRemovalOutputs]):
    """An engine that is killed while it deletes objects keeps some in its state that are gone, and
    a stack file that is taken back then gets a slot with holes: what is recorded is not made
    again. So the engine only forgets them (`retainOnDelete`), and this resource goes last.
    """

    type_name = "SlotRemoval"
    description = "Removes a slot's objects when nothing of it is declared any more."
    inputs_model = SlotRemovalInputs
    outputs_model = SlotRemovalOutputs

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access

    async def create(
        self, operation: Operation, inputs: SlotRemovalInputs
    ) -> Created[SlotRemovalOutputs]:
        return Created(inputs.revision, _outputs(inputs))

    async def read(
        self, resource_id: str, inputs: SlotRemovalInputs | None
    ) -> SlotRemovalOutputs | None:
        return _outputs(inputs) if inputs is not None else None

    async def delete(
        self, operation: Operation, resource_id: str, outputs: SlotRemovalOutputs
    ) -> None:
        """What it held is free again when this ends: its pods have gone, as with the engine's own
        deletion of a Deployment.
        """
        with as_provider_error(f"the slot of {resource_id}"):
            await remove_slot(self._access.cluster(), outputs.service, resource_id)
            down = ScalingDown(self._access)
            await down.wait_until_gone(operation, outputs.service, [resource_id])


def _outputs(inputs: SlotRemovalInputs) -> SlotRemovalOutputs:
    return SlotRemovalOutputs(service=inputs.service)
