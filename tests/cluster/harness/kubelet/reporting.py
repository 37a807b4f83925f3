"""Reports to the API server: a pod's status, events. What it cannot reach is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.resources.core_v1 import Event, Pod
from lightkube.types import PatchType

from tests.cluster.harness.kubelet.manifest import (
    Manifest,
    name_of,
    namespace_of,
    now,
    uid_of,
)

RETRY_SECONDS = 0.3
REPORTER = "kubelet"
CLIENT_ERRORS = range(400, 500)
TOO_MANY_REQUESTS = 429


async def persistently(call: Callable[[], Awaitable[object]]) -> bool:
    """Call until the API server answers. Returns whether it accepted, False on a client error."""
    while True:
        try:
            await call()
            return True
        except ApiError as error:
            code = error.status.code or 0
            if code in CLIENT_ERRORS and code != TOO_MANY_REQUESTS:
                return False
        except httpx2.HTTPError:
            pass
        await asyncio.sleep(RETRY_SECONDS)


class StatusReport:
    """Sends a pod's status when it has changed; changes that come close together go as one."""

    def __init__(self, client: AsyncClient, pod: Manifest, status: Callable[[], Manifest]) -> None:
        self._client = client
        self._pod = pod
        self._status = status
        self._changed = asyncio.Event()
        self._transitions: dict[str, tuple[str, str]] = {}

    def change(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.send()

    async def send(self) -> None:
        status = self._status()
        for condition in status.get("conditions", []):
            self._stamp(condition)
        await persistently(
            lambda: self._client.patch(
                Pod.Status,
                name_of(self._pod),
                {"metadata": {"uid": uid_of(self._pod)}, "status": status},
                namespace=namespace_of(self._pod),
                patch_type=PatchType.STRATEGIC,
            )
        )

    def _stamp(self, condition: Manifest) -> None:
        """Give a condition the time at which it took its present value."""
        before = self._transitions.get(condition["type"])
        if before is None or before[0] != condition["status"]:
            before = (condition["status"], now())
            self._transitions[condition["type"]] = before
        condition["lastTransitionTime"] = before[1]


async def warn(client: AsyncClient, pod: Manifest, reason: str, message: str) -> None:
    """Record a warning event about the pod."""
    namespace = namespace_of(pod)
    event: Any = Event.from_dict(
        {
            "metadata": {"generateName": f"{name_of(pod)}.", "namespace": namespace},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": name_of(pod),
                "namespace": namespace,
                "uid": uid_of(pod),
            },
            "type": "Warning",
            "reason": reason,
            "message": message,
            "source": {"component": REPORTER, "host": pod["spec"]["nodeName"]},
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "count": 1,
        }
    )
    await persistently(lambda: client.create(event))
