"""The stand-in kubelet: runs the pods of its nodes as processes in networks of their own.

What it does not do: users and capabilities (all runs as root), limits, network policies, volumes
that change after the start, volumes of other machines. For Services see service_names.py.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
from lightkube import AsyncClient, KubeConfig

from tests.cluster.harness.control_plane import PORT as API_PORT
from tests.cluster.harness.credentials import serving_certificate
from tests.cluster.harness.images import Registry
from tests.cluster.harness.kubelet.context import Context
from tests.cluster.harness.kubelet.log_server import serve_logs
from tests.cluster.harness.kubelet.node_agent import NodeAgent
from tests.cluster.harness.network import ClusterNetwork

T = TypeVar("T")
CALL_SECONDS = 60.0


class StandInKubelet:
    """One for all stand-in nodes of a cluster, in a thread with an event loop of its own.

    Its methods may be called from any thread; they return when the thing is done.
    """

    def __init__(
        self, kubeconfig: str, network: ClusterNetwork, registry: Registry, folder: Path
    ) -> None:
        self._kubeconfig = kubeconfig
        self._network = network
        self._registry = registry
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kubelet", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._call(self._start())

    def close(self) -> None:
        """End all pods and the thread."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        self._loop.close()

    def adopt(self, node: str) -> None:
        """Keep a node alive and run its pods."""
        self._call(self._agent.adopt(node))

    def lose(self, node: str) -> None:
        """The node is gone without a word: its pods' processes too. `adopt` brings it back."""
        self._call(self._agent.lose(node))

    def evict(self, namespace: str, pod: str, message: str = "The node was low on memory.") -> None:
        """End a pod as a node under pressure does: phase Failed, reason Evicted."""

        async def evict() -> None:
            await self._agent.run_of(namespace, pod).evict(message)

        self._call(evict())

    def kill_container(
        self, namespace: str, pod: str, container: str | None = None, reason: str = "OOMKilled"
    ) -> None:
        """SIGKILL; the pod's restart policy decides what follows."""

        async def kill() -> None:
            await self._agent.run_of(namespace, pod).container(container).kill(reason)

        self._call(kill())

    def log_file(self, namespace: str, pod: str, container: str | None = None) -> Path:
        """What a container has printed since its last start; stays when the pod is gone.

        Raises KeyError when there is no such pod.
        """

        async def path() -> Path:
            return self._agent.run_of(namespace, pod).log(container)

        return self._call(path())

    def log(self, namespace: str, pod: str, container: str | None = None) -> str:
        """Content of the log file, empty before the first start."""
        found = self.log_file(namespace, pod, container)
        return found.read_text(errors="replace") if found.exists() else ""

    def execute(
        self, namespace: str, pod: str, command: Sequence[str], container: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a container, as `kubectl exec` does."""

        async def command_line() -> list[str]:
            running = self._agent.run_of(namespace, pod).container(container).running
            if running is None:
                raise ProcessLookupError(f"{namespace}/{pod} has no running container")
            return running.command_inside(command)

        inside = self._call(command_line())
        return subprocess.run(inside, capture_output=True, text=True, check=False)

    async def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = KubeConfig.from_dict(json.loads(self._kubeconfig))
        # A kubelet's probes do not check certificates and keep no connections.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._probes = httpx.AsyncClient(verify=False, limits=limits, trust_env=False)  # noqa: S501
        self._client = AsyncClient(config=config, trust_env=False, lazy=False)
        context = Context(
            client=self._client,
            probes=self._probes,
            network=self._network,
            registry=self._registry,
            environment={
                "KUBERNETES_SERVICE_HOST": self._network.cluster_address,
                "KUBERNETES_SERVICE_PORT": str(API_PORT),
                "KUBERNETES_SERVICE_PORT_HTTPS": str(API_PORT),
            },
            folder=self._folder / "pods",
        )
        self._agent = NodeAgent(context)
        self._agent.start()
        address = self._network.host_address
        certificate = serving_certificate(self._folder, "kubelet", [address])
        self._logs = await serve_logs(address, certificate, self._find_log)

    async def _close(self) -> None:
        self._logs.close()
        await self._agent.close()
        await self._probes.aclose()
        await self._client.aclose()

    def _find_log(self, namespace: str, pod: str, container: str, previous: bool) -> Path:
        log = self._agent.run_of(namespace, pod).log(container)
        return log.with_suffix(".previous.log") if previous else log

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS)
