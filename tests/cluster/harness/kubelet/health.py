"""Whether one run of a container has started, is ready and is alive, and its lifecycle hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.cluster.harness.kubelet import probes
from tests.cluster.harness.kubelet.context import Sandbox
from tests.cluster.harness.kubelet.manifest import Manifest
from tests.cluster.harness.kubelet.probes import Probe
from tests.cluster.harness.kubelet.process import RunningContainer

OnChange = Callable[[bool, bool], None]
"""Called with whether the container has started and whether it is ready."""


class Health:
    """One run of a container, seen through its probes."""

    def __init__(
        self, specification: Manifest, sandbox: Sandbox, process: RunningContainer
    ) -> None:
        self._specification = specification
        self._sandbox = sandbox
        self._process = process
        own = sandbox.pod["spec"].get("terminationGracePeriodSeconds", 30)
        self._grace_seconds = float(own)

    async def watch(self, on_change: OnChange) -> None:
        """Follow the probes; end the container when postStart or one of them asks for it."""
        hook = self._specification.get("lifecycle", {}).get("postStart")
        startup = self._probe("startupProbe")
        if (hook and not await self.handle(hook)) or (
            startup and not await probes.until_first_pass(startup)
        ):
            await self._process.stop(self._grace_seconds)
            return
        readiness, liveness = self._probe("readinessProbe"), self._probe("livenessProbe")
        on_change(True, readiness is None)
        async with asyncio.TaskGroup() as following:
            if readiness:
                follow = probes.follow(readiness, lambda ready: on_change(True, ready))
                following.create_task(follow)
            if liveness:
                await probes.until_failure(liveness)
                await self._process.stop(self._grace_seconds)

    async def handle(self, hook: Manifest) -> bool:
        """Run a lifecycle handler. Returns whether it succeeded."""
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
            return True
        return await self._asks({**hook, "timeoutSeconds": self._grace_seconds}).passes()

    def _probe(self, kind: str) -> Probe | None:
        specification = self._specification.get(kind)
        return self._asks(specification) if specification else None

    def _asks(self, specification: Manifest) -> Probe:
        return Probe(
            specification,
            self._specification,
            self._sandbox.network.address,
            self._process.execute,
            self._sandbox.context.probes,
        )
