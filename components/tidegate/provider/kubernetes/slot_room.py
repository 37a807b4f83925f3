"""`SlotRoom`: slots that nobody declares any more have no pods when new ones start."""

from pydantic import Field

from tidegate.provider.handler import (
    Created,
    Diff,
    Operation,
    Outputs,
    ResourceHandler,
    ResourceModel,
)
from tidegate.provider.kubernetes.access import ClusterAccess, as_provider_error
from tidegate.provider.kubernetes.scaling_down import ScalingDown, Users
from tidegate.provider.kubernetes.slot_scale import SlotScale, scales_of

MADE = "made"


class SlotRoomInputs(ResourceModel):
    service: str = Field(description="Service whose slots are looked at; also the resource's id.")
    revisions: list[str] = Field(
        min_length=1, description="Those that are declared; their slots are left alone."
    )
    drain_seconds: float = Field(ge=0, description="How long requests in flight may take to end.")


class SlotRoomOutputs(Outputs):
    condition: str = Field(default=MADE, description="What there is to make room of, if any.")


class SlotRoomHandler(ResourceHandler[SlotRoomInputs, SlotRoomOutputs]):
    type_name = "SlotRoom"
    description = (
        "Makes room for a new slot: scales those of its service that nobody declares any more, "
        "and that take no traffic, to zero and waits until their pods have gone."
    )
    inputs_model = SlotRoomInputs
    outputs_model = SlotRoomOutputs

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access

    async def foresee(self, inputs: SlotRoomInputs) -> tuple[str, ...]:
        leaving, users = await self._look(inputs)
        return tuple(_in_words(each, users) for each in leaving)

    async def diff(
        self,
        resource_id: str,
        outputs: SlotRoomOutputs,
        old: SlotRoomInputs | None,
        new: SlotRoomInputs,
    ) -> Diff:
        """Compare with the live workloads: a killed `up` may have left one that nobody knows."""
        if new.service != resource_id:
            return Diff(replace=("service",))
        changed = set((await super().diff(resource_id, outputs, old, new)).changed)
        leaving, users = await self._look(new)
        if any(_goes(each, users) for each in leaving):
            changed.add("condition")
        notes = tuple(_in_words(each, users) for each in leaving)
        return Diff(changed=tuple(sorted(changed)), notes=notes)

    async def create(
        self, operation: Operation, inputs: SlotRoomInputs
    ) -> Created[SlotRoomOutputs]:
        with as_provider_error(f"no room for a slot of {inputs.service}"):
            await self._make_room(operation, inputs)
        return Created(inputs.service, SlotRoomOutputs())

    async def read(self, resource_id: str, inputs: SlotRoomInputs | None) -> SlotRoomOutputs | None:
        if inputs is None:
            return None
        leaving, users = await self._look(inputs)
        going = [each.revision for each in leaving if _goes(each, users)]
        return SlotRoomOutputs(condition=f"not made: {', '.join(going)}" if going else MADE)

    async def delete(
        self, operation: Operation, resource_id: str, outputs: SlotRoomOutputs
    ) -> None:
        """Nothing: slots belong to others."""

    async def _look(self, inputs: SlotRoomInputs) -> tuple[list[SlotScale], Users]:
        """Slots that nobody declares, and who is reached by users."""
        with as_provider_error():
            leaving = await self._leaving(inputs)
            users = await ScalingDown(self._access).users(inputs.service) if leaving else Users({})
        return leaving, users

    async def _leaving(self, inputs: SlotRoomInputs) -> list[SlotScale]:
        found = await scales_of(self._access.cluster(), inputs.service)
        return [each for each in found if each.revision not in inputs.revisions]

    async def _make_room(self, operation: Operation, inputs: SlotRoomInputs) -> None:
        down = ScalingDown(self._access)
        emptied: dict[str, bool] = {}
        for slot in await self._leaving(inputs):
            # Asked for each: draining the one before may have taken its time.
            users = await down.users(inputs.service)
            if _goes(slot, users):
                await down.to_zero(operation, inputs.service, slot, inputs.drain_seconds)
                emptied[slot.revision] = slot.revision in users.standing_by
            elif slot.replicas:
                operation.warn(_in_words(slot, users))
        await down.wait_until_gone(operation, inputs.service, emptied)
        for revision, stood_by in emptied.items():
            words = f"{revision} has zero replicas now, to make room"
            if stood_by:
                operation.warn(
                    f"{words}. It is no standby any more: should this update fail, declare it "
                    "again and run `pulumi up`, which starts its pods"
                )
            else:
                operation.info(words)


def _goes(slot: SlotScale, users: Users) -> bool:
    return slot.replicas > 0 and users.of(slot.revision) is None


def _in_words(slot: SlotScale, users: Users) -> str:
    what = f"{slot.revision} is declared no more"
    if not slot.replicas:
        return f"{what} and has zero replicas: declared again, its pods have to start first"
    if _goes(slot, users):
        return f"{what} and goes to zero replicas before new pods start (makeRoom)"
    return f"{what} and makes no room: {users.of(slot.revision)}"
