"""Asks a container whether it has started, is ready, is alive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import httpx

from tests.cluster.harness.kubelet.manifest import Manifest

Execute = Callable[[Sequence[str]], Awaitable[int]]
"""Runs a command in the container and returns its exit code."""
SERVING = b"\x08\x01"
"""grpc.health.v1.HealthCheckResponse with status SERVING."""
HEALTH_METHOD = "/grpc.health.v1.Health/Check"
REDIRECTS_END = 400
IMPATIENT_SECONDS = 0.25
"""How often a container is asked until it is ready the first time: tests should not wait for a
period to end. Failures are counted in periods all the same."""


class Probe:
    """One probe of one container."""

    def __init__(
        self,
        specification: Manifest,
        container: Manifest,
        address: str,
        execute: Execute,
        client: httpx.AsyncClient,
    ) -> None:
        self._specification = specification
        self._client = client
        self._container = container
        self._address = address
        self._execute = execute
        self.initial_seconds = float(specification.get("initialDelaySeconds", 0))
        self.period_seconds = float(specification.get("periodSeconds", 10))
        self.failures_allowed = int(specification.get("failureThreshold", 3))
        self._timeout = float(specification.get("timeoutSeconds", 1))

    async def passes(self) -> bool:
        try:
            return await asyncio.wait_for(self._ask(), self._timeout)
        except (OSError, TimeoutError, httpx.HTTPError, grpc.RpcError):
            return False

    async def _ask(self) -> bool:
        asked = self._specification
        if "exec" in asked:
            return await self._execute(asked["exec"]["command"]) == 0
        if "httpGet" in asked:
            return await self._ask_http(asked["httpGet"])
        if "grpc" in asked:
            return await self._ask_grpc(asked["grpc"])
        port = self._port(asked["tcpSocket"]["port"])
        _, writer = await asyncio.open_connection(self._address, port)
        writer.close()
        return True

    async def _ask_http(self, asked: Manifest) -> bool:
        scheme = asked.get("scheme", "HTTP").lower()
        host = asked.get("host") or self._address
        url = f"{scheme}://{host}:{self._port(asked['port'])}{asked.get('path', '/')}"
        headers = {each["name"]: each["value"] for each in asked.get("httpHeaders", [])}
        answer = await self._client.get(url, headers=headers, timeout=self._timeout)
        return answer.status_code < REDIRECTS_END

    async def _ask_grpc(self, asked: Manifest) -> bool:
        service = asked.get("service", "").encode()
        request = bytes([10, len(service)]) + service if service else b""
        target = f"{self._address}:{asked['port']}"

        def ask() -> bool:
            with grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
                call: Any = channel.unary_unary(HEALTH_METHOD)
                return bool(call(request, timeout=self._timeout) == SERVING)

        # Not grpc.aio: tests may use it in another event loop of this process.
        return await asyncio.to_thread(ask)

    def _port(self, port: int | str) -> int:
        if isinstance(port, int):
            return port
        named = {each.get("name"): each for each in self._container.get("ports", [])}
        return int(named[port]["containerPort"]) if port in named else int(port)


async def until_first_pass(probe: Probe) -> bool:
    """Whether the probe passes before its allowed failures are used up."""
    await asyncio.sleep(probe.initial_seconds)
    clock = asyncio.get_running_loop().time
    deadline = clock() + probe.failures_allowed * probe.period_seconds
    pause = min(IMPATIENT_SECONDS, probe.period_seconds)
    while not await probe.passes():
        if clock() > deadline:
            return False
        await asyncio.sleep(pause)
    return True


async def until_failure(probe: Probe) -> None:
    """Return when the allowed failures came in a row."""
    await asyncio.sleep(probe.initial_seconds)
    failures = 0
    while failures < probe.failures_allowed:
        failures = 0 if await probe.passes() else failures + 1
        await asyncio.sleep(probe.period_seconds)


async def follow(probe: Probe, on_answer: Callable[[bool], None]) -> None:
    """Say for ever what holds: true at every pass, false when the allowed failures are used up."""
    await asyncio.sleep(probe.initial_seconds)
    failures, has_passed = 0, False
    while True:
        if await probe.passes():
            failures, has_passed = 0, True
            on_answer(True)
        else:
            failures += 1
            if failures >= probe.failures_allowed:
                on_answer(False)
        pause = probe.period_seconds if has_passed else min(IMPATIENT_SECONDS, probe.period_seconds)
        await asyncio.sleep(pause)
