"""The life of one pod: sandbox, volumes, init containers, containers, end."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import httpx2
from lightkube.resources.core_v1 import Pod

from tests.cluster.harness.images import ImagePullError
from tests.cluster.harness.kubelet.container import Container, containers_of
from tests.cluster.harness.kubelet.container_state import (
    ContainerState,
    phase,
    pod_conditions,
)
from tests.cluster.harness.kubelet.context import Context, Sandbox
from tests.cluster.harness.kubelet.environment import ConfigurationMissing
from tests.cluster.harness.kubelet.failures import log_failure
from tests.cluster.harness.kubelet.manifest import (
    Manifest,
    name_of,
    namespace_of,
    now,
    uid_of,
)
from tests.cluster.harness.kubelet.reporting import StatusReport, persistently, warn
from tests.cluster.harness.kubelet.service_names import Addresses, hosts_file
from tests.cluster.harness.kubelet.sources import (
    UnsupportedVolume,
    claimed_folder,
    read_sources,
    service_account_token,
)
from tests.cluster.harness.kubelet.volumes import make_volumes
from tests.cluster.harness.network import PodNetwork

RETRY_SECONDS = 1.0


class PodRun:
    """One pod on one of the stand-in's nodes."""

    def __init__(self, pod: Manifest, addresses: Addresses, context: Context) -> None:
        self.pod = pod
        self.folder = context.folder / f"{namespace_of(pod)}_{name_of(pod)}_{uid_of(pod)}"
        self._context = context
        self._addresses = addresses
        specification = pod["spec"]
        self._policy = specification.get("restartPolicy", "Always")
        self._init_states = [
            ContainerState(each["name"], each["image"], _is_sidecar(each))
            for each in specification.get("initContainers", [])
        ]
        self._states = [
            ContainerState(each["name"], each["image"]) for each in specification["containers"]
        ]
        self._containers: list[Container] = []
        self._sidecars: list[asyncio.Task[None]] = []
        self._network: PodNetwork | None = None
        self._adding = asyncio.create_task(asyncio.to_thread(context.network.add_pod))
        self._started_at = now()
        self._phase: str | None = None
        self._reason = self._message = ""
        self._is_removed = False
        self._report = StatusReport(context.client, pod, self._status)
        self._reporting = asyncio.create_task(self._report.run())
        self._running = asyncio.create_task(self._run())
        self._running.add_done_callback(log_failure)

    @property
    def nodes_name(self) -> str:
        return str(self.pod["spec"]["nodeName"])

    def container(self, name: str | None) -> Container:
        """A container, the first main one without a name. Raises KeyError."""
        wanted = name or self._states[0].name
        return {each.state.name: each for each in self._containers}[wanted]

    def log(self, container: str | None) -> Path:
        """Output of a container, of the first main one without a name."""
        return self.folder / "logs" / f"{container or self._states[0].name}.log"

    def know(self, addresses: Addresses) -> None:
        """Services have other ready endpoints now."""
        self._addresses = addresses
        if self._network is not None:
            self._write_hosts(self._network)

    async def stop(self, grace_seconds: float) -> None:
        """End the pod because it was deleted, and confirm its deletion."""
        sidecars = {each.name for each in self._init_states if each.is_sidecar}
        everyone = self._containers
        main = [each for each in everyone if each.state.name not in sidecars]
        await asyncio.gather(*(each.stop(grace_seconds) for each in main))
        await asyncio.gather(
            *(each.stop(grace_seconds) for each in everyone if each.state.name in sidecars)
        )
        await self._end()
        await self._report.send()
        await persistently(
            lambda: self._context.client.delete(
                Pod, name_of(self.pod), namespace=namespace_of(self.pod), grace_period=0
            )
        )

    async def evict(self, message: str) -> None:
        """End the pod as a node under pressure does; the object stays, failed."""
        self._phase, self._reason, self._message = "Failed", "Evicted", message
        await asyncio.gather(*(each.stop(0) for each in self._containers))
        await self._end()
        await self._report.send()

    async def vanish(self) -> None:
        """End the pod's processes and say nothing to anyone."""
        self._reporting.cancel()
        await self._end()

    async def _run(self) -> None:
        self._report.change()
        network = self._network = await asyncio.shield(self._adding)
        sandbox = await self._sandbox(network)
        self._write_hosts(network)
        (self.folder / "resolv.conf").write_text("")
        specification = self.pod["spec"]
        init = containers_of(
            specification.get("initContainers", []),
            self._init_policy,
            sandbox,
            self._init_states,
            self._report.change,
        )
        main = containers_of(
            specification["containers"],
            lambda _: self._policy,
            sandbox,
            self._states,
            self._report.change,
        )
        self._containers = [*init, *main]
        if await self._run_init(init):
            await asyncio.gather(*(each.run() for each in main))
        for each in init:
            await each.stop(self.grace_seconds)
        for task in self._sidecars:
            await task
        await self._remove_network()
        self._report.change()

    @property
    def grace_seconds(self) -> float:
        """The grace that the pod's deletion grants, else its own."""
        own = self.pod["spec"].get("terminationGracePeriodSeconds", 30)
        return float(self.pod["metadata"].get("deletionGracePeriodSeconds", own))

    async def _run_init(self, init: list[Container]) -> bool:
        """Whether all init containers did their work."""
        for each in init:
            if each.state.is_sidecar:
                self._sidecars.append(asyncio.create_task(each.run()))
                await each.has_started.wait()
            else:
                await each.run()
                if not each.state.has_succeeded:
                    return False
        return True

    def _init_policy(self, specification: Manifest) -> str:
        if _is_sidecar(specification):
            return "Always"
        return "Never" if self._policy == "Never" else "OnFailure"

    async def _sandbox(self, network: PodNetwork) -> Sandbox:
        """Make the volumes; what is missing is waited for."""
        client = self._context.client
        complained = ""
        while True:
            try:
                sources = await read_sources(client, self.pod)
                places = await make_volumes(
                    self.pod,
                    self.folder / "volumes",
                    sources,
                    self._context.registry,
                    lambda projection: service_account_token(client, self.pod, projection),
                    lambda claim: claimed_folder(client, namespace_of(self.pod), claim),
                )
                return Sandbox(self.pod, self.folder, network, places, sources, self._context)
            except (ConfigurationMissing, ImagePullError, UnsupportedVolume) as error:
                if str(error) != complained:
                    complained = str(error)
                    message = f"MountVolume.SetUp failed: {complained}"
                    await warn(client, self.pod, "FailedMount", message)
            except httpx2.HTTPError:  # the API server is away, or refuses the token for now
                pass
            await asyncio.sleep(RETRY_SECONDS)

    def _write_hosts(self, network: PodNetwork) -> None:
        content = hosts_file(
            self._addresses, namespace_of(self.pod), network.address, name_of(self.pod)
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        # In place: containers have this very file mounted.
        (self.folder / "hosts").write_text(content)

    async def _end(self) -> None:
        """End whatever is left of the pod here."""
        ending = (self._running, *self._sidecars)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._remove_network()
        self._reporting.cancel()
        for part in ("root", "volumes"):
            shutil.rmtree(self.folder / part, ignore_errors=True)

    async def _remove_network(self) -> None:
        network = await self._adding
        if not self._is_removed:
            self._is_removed, self._network = True, None
            await asyncio.to_thread(self._context.network.remove_pod, network)

    def _status(self) -> Manifest:
        current = self._phase or phase(self._policy, self._init_states, self._states)
        conditions = pod_conditions(
            current, self._init_states, self._states, self._network is not None
        )
        status: Manifest = {
            "phase": current,
            "conditions": [
                {"type": name, "status": str(holds), **({"reason": reason} if reason else {})}
                for name, (holds, reason) in conditions.items()
            ],
            "containerStatuses": [each.as_status() for each in self._states],
            "hostIP": self._context.network.host_address,
            "startTime": self._started_at,
        }
        if self._init_states:
            status["initContainerStatuses"] = [
                {**each.as_status(), "ready": each.ready or each.has_succeeded}
                for each in self._init_states
            ]
        if self._reason:
            status |= {"reason": self._reason, "message": self._message}
        if self._network is not None:
            address = self._network.address
            status |= {"podIP": address, "podIPs": [{"ip": address}]}
        return status


def _is_sidecar(container: Manifest) -> bool:
    return bool(container.get("restartPolicy") == "Always")
