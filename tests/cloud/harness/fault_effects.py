"""What a fault does to a call, in the plugin's process."""

import asyncio
import os
from typing import Any

import grpc

from tests.cloud.harness.cloud_store import CloudStore
from tests.cloud.harness.faults import Fault, is_released, take_fault
from tidegate.provider.messages import ServicerContext, abort_with_partial_state

WAIT_POLL_SECONDS = 0.1


async def before(
    store: CloudStore, context: ServicerContext, action: str, token: str, resource: str
) -> Fault | None:
    """Whatever goes wrong before anything is made; returns the fault that the call meets."""
    fault = take_fault(store, action, token, resource)
    if fault is None:
        return None
    if fault.effect == "delay":
        await _wait(store, fault.seconds)
    elif fault.effect == "refuse":
        await context.abort(grpc.StatusCode.UNKNOWN, fault.message)
    elif fault.effect == "lose":
        os._exit(1)
    return fault


async def after(
    store: CloudStore, context: ServicerContext, fault: Fault | None, object_id: str, state: Any
) -> None:
    """Whatever goes wrong when it has been made."""
    if fault is None:
        return
    if fault.effect == "unhealthy":
        await abort_with_partial_state(context, object_id, state, [fault.message])
    elif fault.effect == "delayAnswer":
        await _wait(store, fault.seconds)
    elif fault.effect == "loseAnswer":
        os._exit(1)


async def _wait(store: CloudStore, seconds: float) -> None:
    for _ in range(round(seconds / WAIT_POLL_SECONDS)):
        if is_released(store):
            return
        await asyncio.sleep(WAIT_POLL_SECONDS)
