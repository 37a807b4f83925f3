"""`GatewayReadiness`: exists once the Gateway's controller serves every listener."""

import time
from collections.abc import Sequence

from pydantic import Field

from tidegate.cluster.errors import ClusterError, ForbiddenError
from tidegate.cluster.kinds import GATEWAY, SECRET
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
from tidegate.provider.kubernetes.patience import patiently, saying_once
from tidegate.traffic.gateway_api.listeners import GatewayStatus, gateway_status

POLL_SECONDS = 0.5
LASTING_SECONDS = 20.0
"""So long a listener may be refused: its Secret may be made in the same moment."""
SILENCE_SECONDS = 60.0
"""So long the controller may say nothing: it may only be starting."""


class GatewayReadinessInputs(ResourceModel):
    namespace: str
    name: str = Field(description="Gateway that is waited for.")
    listeners: dict[str, list[str]] = Field(
        description="Secrets with certificates of each listener; another one is waited for again."
    )


class GatewayReadinessOutputs(Outputs):
    condition: str = Field(description='Such as "2 listeners served" when it was last waited for.')


class GatewayReadinessHandler(ResourceHandler[GatewayReadinessInputs, GatewayReadinessOutputs]):
    type_name = "GatewayReadiness"
    description = "Waits until a Gateway's listeners are served, or says what keeps them from it."
    inputs_model = GatewayReadinessInputs
    outputs_model = GatewayReadinessOutputs

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access

    async def diff(
        self,
        resource_id: str,
        outputs: GatewayReadinessOutputs,
        old: GatewayReadinessInputs | None,
        new: GatewayReadinessInputs,
    ) -> Diff:
        """A listener that has broken since is told and no difference: what serves goes on.

        Raises ProviderError for new certificates that are not there: Envoy Gateway ends a listener
        without one at once.
        """
        if resource_id != _id(new):
            return Diff(replace=("name",))
        inputs = await super().diff(resource_id, outputs, old, new)
        if inputs.changed:
            if missing := await self._missing_secrets(new):
                raise ProviderError(f"{'; '.join(missing)}, and users would lose it: make it first")
            return inputs
        with as_provider_error():
            status = await self._status(new)
        return Diff(notes=status.refusals if status is not None else ())

    async def foresee(self, inputs: GatewayReadinessInputs) -> Sequence[str]:
        return await self._missing_secrets(inputs)

    async def create(
        self, operation: Operation, inputs: GatewayReadinessInputs
    ) -> Created[GatewayReadinessOutputs]:
        with as_provider_error(f"Gateway {_id(inputs)} is not ready"):
            condition = await self._wait(saying_once(operation), inputs)
        return Created(_id(inputs), GatewayReadinessOutputs(condition=condition))

    async def read(
        self, resource_id: str, inputs: GatewayReadinessInputs | None
    ) -> GatewayReadinessOutputs | None:
        if inputs is None:
            return None
        with as_provider_error():
            status = await self._status(inputs)
        return GatewayReadinessOutputs(condition=_served(inputs)) if status is not None else None

    async def delete(
        self, operation: Operation, resource_id: str, outputs: GatewayReadinessOutputs
    ) -> None:
        """Nothing: what it waited for belongs to others."""

    async def _wait(self, operation: Operation, inputs: GatewayReadinessInputs) -> str:
        began, refused_since = time.monotonic(), None
        while True:
            status = await patiently(operation, lambda: self._status(inputs))
            now = time.monotonic()
            if status is not None and status.refusals:
                refused_since = refused_since or now
                words = "; ".join(status.refusals)
                operation.status(words)
                if now - refused_since >= LASTING_SECONDS:
                    raise ProviderError(f"{words[:1].upper()}{words[1:]}")
            elif status is not None and status.is_seen:
                return _served(inputs)
            elif now - began >= SILENCE_SECONDS:
                raise ProviderError(
                    f"Gateway {_id(inputs)} is not served: no controller has answered for it "
                    f"within {SILENCE_SECONDS:g} s; check that Envoy Gateway runs and that the "
                    "Gateway's class is its own"
                )
            await operation.sleep(POLL_SECONDS)

    async def _missing_secrets(self, inputs: GatewayReadinessInputs) -> list[str]:
        """In words. Whoever may not read Secrets is told by the Gateway's controller, later."""
        found = []
        for listener, secrets in sorted(inputs.listeners.items()):
            for place in secrets:
                namespace, _, name = place.rpartition("/")
                namespace = namespace or inputs.namespace
                try:
                    is_there = await self._access.cluster().find(SECRET, name, namespace)
                except ForbiddenError:
                    continue
                except ClusterError as error:
                    raise ProviderError(str(error)) from error
                if is_there is None:
                    found.append(
                        f"listener {listener} of Gateway {_id(inputs)} is not served without "
                        f"Secret {namespace}/{name}, which is not there"
                    )
        return found

    async def _status(self, inputs: GatewayReadinessInputs) -> GatewayStatus | None:
        """None when there is no such Gateway. Raises ClusterError."""
        found = await self._access.cluster().find(GATEWAY, inputs.name, inputs.namespace)
        return gateway_status(found) if found is not None else None


def _id(inputs: GatewayReadinessInputs) -> str:
    return f"{inputs.namespace}/{inputs.name}"


def _served(inputs: GatewayReadinessInputs) -> str:
    count = len(inputs.listeners)
    return f"{count} {'listener' if count == 1 else 'listeners'} served"
