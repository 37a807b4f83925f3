"""`SlotReadiness`: exists once the pods of a slot are ready."""

import time
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tidegate.cluster.errors import ClusterError
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
from tidegate.provider.kubernetes.diagnosis.pools import DeclaredPool, Pools
from tidegate.provider.kubernetes.diagnosis.slots import (
    SlotObserved,
    SlotWanted,
    is_slot_ready,
    slot_trouble,
)
from tidegate.provider.kubernetes.diagnosis.trouble import Trouble
from tidegate.provider.kubernetes.missing_kinds import MissingKinds
from tidegate.provider.kubernetes.patience import patiently, saying_once
from tidegate.provider.kubernetes.slot_observer import (
    WORKLOADS,
    SlotObserver,
    SlotPlace,
    last_log_lines,
)
from tidegate.provider.kubernetes.slot_retry import try_again
from tidegate.provider.kubernetes.slot_scale import replicas_of, scale_to

POLL_SECONDS = 1.0
WAITED_FOR = frozenset({"workload", "workloadName", "serviceName", "replicas"})
"""Inputs that say what is waited for; the others say how, which matters only while it lasts."""
LASTING_SECONDS = 20.0
"""So long a trouble that time alone does not mend may last: caches and retries settle in it."""


class SlotReadinessInputs(ResourceModel):
    service: str
    revision: str = Field(description="Revision whose slot must be ready; also the resource's id.")
    workload: Literal["Deployment", "LeaderWorkerSet"]
    workload_name: str
    is_scaled: bool = Field(
        default=False, description="Whether the workload is given its replicas here."
    )
    service_name: str = Field(description="Service of Kubernetes in front of the pods.")
    replicas: int = Field(ge=0, description="Replicas that must be ready; 0: none need be.")
    timeout_seconds: float = Field(gt=0)
    accelerator_pool: str | None = Field(default=None, description="Pool that the pods ask for.")
    pools: list[DeclaredPool] = Field(
        default_factory=list, description="Declared pools, to say which one could fit."
    )


class SlotReadinessOutputs(Outputs):
    condition: str = Field(description='Such as "2 of 2 pods ready" when it was last waited for.')


class SlotReadinessHandler(ResourceHandler[SlotReadinessInputs, SlotReadinessOutputs]):
    type_name = "SlotReadiness"
    description = (
        "Gives a slot its replicas and waits until their pods are ready, or says what keeps them "
        "from it."
    )
    inputs_model = SlotReadinessInputs
    outputs_model = SlotReadinessOutputs

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._missing_kinds = MissingKinds()

    async def foresee(self, inputs: SlotReadinessInputs) -> Sequence[str]:
        kind, _ = WORKLOADS[inputs.workload]
        with as_provider_error():
            return await self._missing_kinds.told(self._access.cluster(), kind)

    async def diff(
        self,
        resource_id: str,
        outputs: SlotReadinessOutputs,
        old: SlotReadinessInputs | None,
        new: SlotReadinessInputs,
    ) -> Diff:
        """A slot never changes in place, its replicas aside.

        One that is not ready any more is told and no difference: its cluster mends it, and a
        standby must not hold up an update. Replicas that somebody took away are a difference; more
        than those declared are an autoscaler's.
        """
        if new.revision != resource_id:
            return Diff(replace=("revision",))
        inputs = await super().diff(resource_id, outputs, old, new)
        changed = tuple(each for each in inputs.changed if each in WAITED_FOR)
        if changed:
            return Diff(changed=changed)
        with as_provider_error():
            observed, wanted = await self._observer(new).observe()
        if new.is_scaled and observed.workload is not None:
            replicas = replicas_of(observed.workload)
            if replicas < new.replicas:
                note = f"{new.revision} is scaled to {replicas} replicas; declared: {new.replicas}"
                return Diff(changed=("replicas",), notes=(note,))
        if is_slot_ready(observed, wanted):
            return Diff()
        trouble = slot_trouble(observed, wanted)
        why = f": {trouble.sentence}" if trouble is not None else ""
        return Diff(notes=(f"{new.revision} has {_condition(observed, wanted)}{why}",))

    async def create(
        self, operation: Operation, inputs: SlotReadinessInputs
    ) -> Created[SlotReadinessOutputs]:
        with as_provider_error(f"{inputs.revision} is not ready"):
            condition = await self._wait(operation, inputs)
        return Created(inputs.revision, SlotReadinessOutputs(condition=condition))

    async def read(
        self, resource_id: str, inputs: SlotReadinessInputs | None
    ) -> SlotReadinessOutputs | None:
        if inputs is None:
            return None
        with as_provider_error():
            observed, wanted = await self._observer(inputs).observe()
        if observed.workload is None:
            return None
        return SlotReadinessOutputs(condition=_condition(observed, wanted))

    async def delete(
        self, operation: Operation, resource_id: str, outputs: SlotReadinessOutputs
    ) -> None:
        """Nothing: what it waited for belongs to others."""

    async def _wait(self, operation: Operation, inputs: SlotReadinessInputs) -> str:
        operation = saying_once(operation)
        observer = self._observer(inputs)
        if inputs.is_scaled and inputs.replicas:
            # Fewer before the traffic has moved would be too early: see `ColdStandby`.
            await patiently(operation, lambda: self._scale(inputs))
        await patiently(operation, lambda: self._try_again(inputs, observer))
        began, lasting_since = time.monotonic(), None
        while True:
            observed, wanted = await patiently(operation, observer.observe)
            condition = _condition(observed, wanted)
            if is_slot_ready(observed, wanted):
                return condition
            trouble = slot_trouble(observed, wanted)
            now = time.monotonic()
            lasting = trouble is not None and trouble.is_lasting
            lasting_since = (lasting_since or now) if lasting else None
            operation.status(f"{condition}: {trouble.sentence}" if trouble else condition)
            given_up = lasting_since is not None and now - lasting_since >= LASTING_SECONDS
            if given_up or now - began >= inputs.timeout_seconds:
                waited = "" if given_up else f" within {inputs.timeout_seconds:g} s"
                raise ProviderError(
                    f"{inputs.revision} is not ready{waited} ({condition}). "
                    + await self._explain(trouble)
                )
            await operation.sleep(POLL_SECONDS)

    async def _try_again(self, inputs: SlotReadinessInputs, observer: SlotObserver) -> None:
        """What an earlier update left failing gets a new attempt, which alone is judged."""
        observed, wanted = await observer.observe()
        trouble = None if is_slot_ready(observed, wanted) else slot_trouble(observed, wanted)
        if trouble is not None and trouble.is_lasting:
            await try_again(self._access.cluster(), inputs.workload, observed)

    async def _scale(self, inputs: SlotReadinessInputs) -> None:
        kind, _ = WORKLOADS[inputs.workload]
        await scale_to(self._access.cluster(), kind, inputs.workload_name, inputs.replicas)

    def _observer(self, inputs: SlotReadinessInputs) -> SlotObserver:
        place = SlotPlace(
            workload_kind=inputs.workload,
            workload_name=inputs.workload_name,
            service_name=inputs.service_name,
            replicas=inputs.replicas,
            pools=Pools(inputs.accelerator_pool, inputs.pools),
        )
        return SlotObserver(self._access.cluster(), self._access.events(), place)

    async def _explain(self, trouble: Trouble | None) -> str:
        """The trouble in a sentence, and the last lines of the log that tells more."""
        if trouble is None:
            return (
                "Nothing is known to be wrong: the pods are still starting. Raise the probes' "
                "budget if the model takes longer to load"
            )
        if trouble.logs is None:
            return trouble.sentence
        try:
            lines = await last_log_lines(self._access.cluster(), trouble.logs)
        except ClusterError as error:
            return f"{trouble.sentence}. {error}"
        if not lines:
            return f"{trouble.sentence}. Its log is empty"
        return f"{trouble.sentence}. Its log ends with:\n" + "\n".join(
            f"  {each}" for each in lines
        )


def _condition(observed: SlotObserved, wanted: SlotWanted) -> str:
    return f"{observed.ready_pods} of {wanted.pods} pods ready"
