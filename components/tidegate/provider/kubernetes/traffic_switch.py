"""`TrafficSwitch` of a cluster: decides which revision of a service takes the traffic."""

from collections.abc import Sequence

from tidegate.cluster.errors import ClusterError
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import CheckFailure, Created, Diff, Operation, ResourceHandler
from tidegate.provider.kubernetes.access import ClusterAccess, as_provider_error
from tidegate.provider.kubernetes.missing_kinds import MissingKinds
from tidegate.provider.kubernetes.patience import in_a_preview, patiently
from tidegate.provider.kubernetes.strays import find_strays, remove_gates, remove_strays
from tidegate.provider.kubernetes.switch_runs import SwitchRunError, SwitchRuns
from tidegate.provider.kubernetes.traffic_mover import TrafficMover
from tidegate.provider.shared.traffic_inputs import (
    IN_FORCE,
    TrafficSwitchInputs,
    TrafficSwitchOutputs,
)
from tidegate.provider.shared.traffic_refusals import overridden
from tidegate.records.switches import SwitchRecords
from tidegate.traffic.differences import differences
from tidegate.traffic.gateway_api.objects import OWNED
from tidegate.traffic.gateway_api.recorded import Recorded


class TrafficSwitchHandler(ResourceHandler[TrafficSwitchInputs, TrafficSwitchOutputs]):
    type_name = "TrafficSwitch"
    description = (
        "Owns the routes of one service. Moves its traffic at once, or step by step while it "
        "watches what users meet."
    )
    inputs_model = TrafficSwitchInputs
    outputs_model = TrafficSwitchOutputs

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._missing_kinds = MissingKinds()

    async def check(self, inputs: TrafficSwitchInputs) -> list[CheckFailure]:
        with as_provider_error():
            override = await self._records().override(inputs.service)
        if override is not None and override.revision != inputs.revision:
            stack_file = self._access.configuration.stack_file
            return [CheckFailure("revision", overridden(override, inputs.revision, stack_file))]
        return []

    async def foresee(self, inputs: TrafficSwitchInputs) -> Sequence[str]:
        with as_provider_error():
            return await self._missing_kinds.told(self._access.cluster(), *OWNED)

    async def diff(
        self,
        resource_id: str,
        outputs: TrafficSwitchOutputs,
        old: TrafficSwitchInputs | None,
        new: TrafficSwitchInputs,
    ) -> Diff:
        """Compare with the live routes: after a killed `up`, old inputs say nothing."""
        if new.service != resource_id:
            return Diff(replace=("service",))
        with as_provider_error():
            recorded = await self._access.routes().of(new.service)
            run = await self._records().unfinished(new.service)
            override = await self._records().override(new.service)
            strays = await in_a_preview(
                lambda: find_strays(self._access, new.service, _known(old, new))
            )
        # A reason to try again is only read when a switch was turned back.
        changed = set((await super().diff(resource_id, outputs, old, new)).changed) - {"retry"}
        notes: list[str] = []
        if recorded is None or recorded.problems or recorded.routes != new.routes():
            changed.add("liveRevision")
            if old is None or old.routes() == new.routes():
                notes = _drift(recorded, new, changed)
        if run is not None:
            changed.add("liveRevision")
            where = f": {run.progress.message}" if run.progress is not None else ""
            notes = [f"a switch to {run.request.to_revision} is under way{where}"]
        if strays:
            changed.add("condition")
            notes += [
                f"{each} is declared no more and takes no traffic: it goes" for each in strays
            ]
        if outputs.live_revision != new.revision or override is not None:
            changed.add("revision")
        return Diff(changed=tuple(sorted(changed)), notes=tuple(notes))

    async def create(
        self, operation: Operation, inputs: TrafficSwitchInputs
    ) -> Created[TrafficSwitchOutputs]:
        await TrafficMover(self._access).bring(operation, inputs)
        await self._remove_strays(operation, None, inputs)
        return Created(inputs.service, _reached(inputs))

    async def update(
        self,
        operation: Operation,
        resource_id: str,
        outputs: TrafficSwitchOutputs,
        old: TrafficSwitchInputs | None,
        new: TrafficSwitchInputs,
    ) -> TrafficSwitchOutputs:
        await TrafficMover(self._access).bring(operation, new)
        await self._remove_strays(operation, old, new)
        return _reached(new)

    async def read(
        self, resource_id: str, inputs: TrafficSwitchInputs | None
    ) -> TrafficSwitchOutputs | None:
        with as_provider_error():
            recorded = await self._access.routes().of(resource_id)
        if recorded is None or recorded.routes.live_revision is None:
            return None
        condition = "; ".join(recorded.problems)
        live = recorded.routes.live_revision
        return TrafficSwitchOutputs(
            live_revision=f"unknown: {condition}" if condition else live,
            weights=dict(recorded.routes.weights),
            condition=condition or IN_FORCE,
        )

    async def delete(
        self, operation: Operation, resource_id: str, outputs: TrafficSwitchOutputs
    ) -> None:
        try:
            runs = SwitchRuns(self._access.cluster(), self._access.configuration)
            await runs.remove(operation, resource_id)
            await self._access.routes().withdraw(resource_id)
            await remove_gates(self._access, resource_id)
        except (ClusterError, SwitchRunError) as error:
            raise ProviderError(str(error)) from error

    # -- parts --------------------------------------------------------------------------------

    def _records(self) -> SwitchRecords:
        return SwitchRecords(self._access.cluster())

    async def _remove_strays(
        self, operation: Operation, old: TrafficSwitchInputs | None, new: TrafficSwitchInputs
    ) -> None:
        with as_provider_error():
            # The traffic has moved already: a moment's silence must not fail the update now.
            strays = await patiently(
                operation, lambda: remove_strays(self._access, new.service, _known(old, new))
            )
        for revision in strays:
            operation.info(f"removed {revision}: no stack declares it, no route mentions it")


def _known(old: TrafficSwitchInputs | None, new: TrafficSwitchInputs) -> set[str]:
    """Revisions that are declared, or that the engine has recorded and removes by itself."""
    declared = [each.routes().weights for each in (old, new) if each is not None]
    return {revision for weights in declared for revision in weights}


def _drift(
    recorded: Recorded | None, declared: TrafficSwitchInputs, changed: set[str]
) -> list[str]:
    """What differs although nobody declared it; adds the outputs that show it to `changed`."""
    if recorded is None:
        return differences(None, declared.routes())
    if recorded.problems:
        changed.add("condition")
    if recorded.routes.weights != declared.routes().weights:
        changed.add("weights")
    return [*recorded.problems, *differences(recorded.routes, declared.routes())]


def _reached(inputs: TrafficSwitchInputs) -> TrafficSwitchOutputs:
    return TrafficSwitchOutputs(
        live_revision=inputs.revision, weights=dict(inputs.routes().weights)
    )
