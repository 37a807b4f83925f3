"""`Gateway`: the embedded platform's Envoy."""

import asyncio

from pydantic import Field

from tidegate.local.gateway import GatewayError, GatewayRecord
from tidegate.local.slots import SlotError
from tidegate.local.stack import LocalStack
from tidegate.local.supervision import SupervisionError
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import (
    CheckFailure,
    Created,
    Diff,
    Operation,
    Outputs,
    ResourceHandler,
    ResourceModel,
)

RESOURCE_ID = "gateway"


class GatewayInputs(ResourceModel):
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Port for HTTP and gRPC; chosen when not given."
    )
    admin_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of Envoy's admin interface, on loopback."
    )
    revisions: list[str] = Field(description="Every revision that the stack declares.")
    services: list[str] = Field(description="Every service that the stack declares.")


class GatewayOutputs(Outputs):
    address: str = Field(description="host:port for users, HTTP and gRPC.")
    admin_address: str = Field(description="host:port of Envoy's admin interface.")


class GatewayHandler(ResourceHandler[GatewayInputs, GatewayOutputs]):
    type_name = "Gateway"
    description = (
        "Envoy on this machine, which serves every service of the stack. It also stops servers "
        "that no stack declares and no route mentions."
    )
    stable_outputs = frozenset({"address", "adminAddress"})
    inputs_model = GatewayInputs
    outputs_model = GatewayOutputs

    def __init__(self, stack: LocalStack, stack_file: str) -> None:
        self._stack = stack
        self._stack_file = stack_file

    async def check(self, inputs: GatewayInputs) -> list[CheckFailure]:
        failures = []
        for name, port in (("port", inputs.port), ("adminPort", inputs.admin_port)):
            holder = self._stack.gateway.foreign_holder(port) if port is not None else None
            if holder is not None:
                key = f"tidegate:platform.local.gateway.{name}"
                failures.append(
                    CheckFailure(
                        name,
                        f"{self._stack_file}: {key}: {port} cannot work: port {port} on 127.0.0.1 "
                        f"is held by {holder}. Instead: stop that process, write a free port, or "
                        "remove the key to have one chosen.",
                    )
                )
        return failures

    async def diff(
        self,
        resource_id: str,
        outputs: GatewayOutputs,
        old: GatewayInputs | None,
        new: GatewayInputs,
    ) -> Diff:
        changed = set((await super().diff(resource_id, outputs, old, new)).changed)
        gateway = self._stack.gateway
        if not (
            gateway.runs_as_recorded()
            and await gateway.is_serving()
            and gateway.discovery.clusters_are_as_recorded()
        ):
            changed.add("address")
        if set(self._stack.strays()) - set(new.revisions) or self._orphaned_services(new):
            changed.add("revisions")
        return Diff(changed=tuple(sorted(changed)))

    async def create(self, operation: Operation, inputs: GatewayInputs) -> Created[GatewayOutputs]:
        try:
            record = await self._stack.gateway.start(
                inputs.port,
                inputs.admin_port,
                tuple(sorted(inputs.revisions)),
                tuple(sorted(inputs.services)),
                operation.sleep,
                operation.status,
            )
            for service in self._orphaned_services(inputs):
                await self._stack.router().withdraw(service)
                operation.info(f"withdrew the routes of {service}, which no stack declares")
            for revision in await self._stack.stop_strays(operation.sleep):
                operation.info(f"stopped {revision}: no stack declares it, no route mentions it")
        except (GatewayError, SupervisionError, SlotError) as error:
            raise ProviderError(str(error)) from error
        return Created(RESOURCE_ID, _outputs(record))

    async def read(self, resource_id: str, inputs: GatewayInputs | None) -> GatewayOutputs | None:
        record = self._stack.gateway.record()
        return _outputs(record) if record is not None else None

    async def delete(self, operation: Operation, resource_id: str, outputs: GatewayOutputs) -> None:
        try:
            await self._stack.gateway.stop(operation.sleep, operation.status)
            await self._stack.stop_strays(operation.sleep)
            await asyncio.to_thread(self._stack.supervisor.shut_down)
        except (SupervisionError, SlotError) as error:
            raise ProviderError(str(error)) from error

    def _orphaned_services(self, inputs: GatewayInputs) -> list[str]:
        """Routes written by a create that the engine never recorded, of services not declared."""
        return [
            routes.service
            for routes in self._stack.gateway.discovery.services()
            if routes.service not in inputs.services
            and self._stack.switch_is_unrecorded(routes.service)
        ]


def _outputs(record: GatewayRecord) -> GatewayOutputs:
    return GatewayOutputs(address=record.address, admin_address=f"127.0.0.1:{record.admin_port}")
