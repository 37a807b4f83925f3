"""Starts and ends the pods of the stand-in's nodes, and keeps those nodes alive."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import Node, Pod
from lightkube.resources.discovery_v1 import EndpointSlice
from lightkube.types import PatchType

from tests.cluster.harness.kubelet.context import Context
from tests.cluster.harness.kubelet.failures import log_failure
from tests.cluster.harness.kubelet.manifest import (
    Manifest,
    is_deleted,
    name_of,
    namespace_of,
    now,
    uid_of,
)
from tests.cluster.harness.kubelet.pod import PodRun
from tests.cluster.harness.kubelet.reporting import REPORTER, persistently
from tests.cluster.harness.kubelet.service_names import ServiceNames
from tests.cluster.harness.kubelet.watching import Follower, follow

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
HEARTBEAT_SECONDS = 5.0
FINISHED = {"Succeeded", "Failed"}


class NodeAgent:
    """What a kubelet does beside running one pod; lives in one event loop."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._names = ServiceNames()
        self._nodes: set[str] = set()
        self._pods: dict[str, Manifest] = {}
        self._runs: dict[str, PodRun] = {}
        self._stopping: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        pods = Follower(self._replace_pods, self._put_pod, self._remove_pod)
        slices = Follower(self._replace_slices, self._put_slice, self._remove_slice)
        self._spawn(follow(self._client, Pod, pods))
        self._spawn(follow(self._client, EndpointSlice, slices))
        self._spawn(self._beat())

    async def close(self) -> None:
        """End all pods without a word to the API server."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(each.vanish() for each in self._runs.values()))

    async def adopt(self, node: str) -> None:
        """Run what is bound to the node from now on."""
        self._nodes.add(node)
        await self._heartbeat(node)
        await self._set_ready(node, "True", "KubeletReady")
        for pod in list(self._pods.values()):
            self._put_pod(pod)

    async def lose(self, node: str) -> None:
        """End the node's processes and its heartbeats.

        Says as well what the node lifecycle controller says after its grace period: the node's
        state is unknown, its pods are not ready. Tests need not wait for that.
        """
        self._nodes.discard(node)
        lost = {uid: run for uid, run in self._runs.items() if run.nodes_name == node}
        for uid, run in lost.items():
            del self._runs[uid]
            self._stopping.discard(uid)
            await run.vanish()
        await self._set_ready(node, "Unknown", "NodeStatusUnknown")
        for run in lost.values():
            await persistently(partial(self._set_pod_not_ready, run.pod))

    def run_of(self, namespace: str, name: str) -> PodRun:
        """The pod that runs under the name. Raises KeyError."""
        found = [
            each
            for each in self._runs.values()
            if (namespace_of(each.pod), name_of(each.pod)) == (namespace, name)
        ]
        if not found:
            raise KeyError(f"the stand-in runs no pod {namespace}/{name}")
        return found[-1]

    def _replace_pods(self, pods: list[Manifest]) -> None:
        uids = {uid_of(each) for each in pods}
        for pod in [each for uid, each in self._pods.items() if uid not in uids]:
            self._remove_pod(pod)
        for pod in pods:
            self._put_pod(pod)

    def _put_pod(self, pod: Manifest) -> None:
        uid = uid_of(pod)
        self._pods[uid] = pod
        if pod["spec"].get("nodeName") not in self._nodes:
            return
        run = self._runs.get(uid)
        if run is not None:
            run.pod = pod
            if is_deleted(pod) and uid not in self._stopping:
                self._stopping.add(uid)
                self._spawn(run.stop(run.grace_seconds))
        elif is_deleted(pod):
            self._spawn(self._confirm_deletion(pod))
        elif pod.get("status", {}).get("phase") not in FINISHED:
            self._runs[uid] = PodRun(pod, self._names.addresses(), self._context)

    def _remove_pod(self, pod: Manifest) -> None:
        uid = uid_of(pod)
        self._pods.pop(uid, None)
        self._stopping.discard(uid)
        if (run := self._runs.pop(uid, None)) is not None:
            self._spawn(run.vanish())

    def _replace_slices(self, slices: list[Manifest]) -> None:
        self._names.keep_only(slices)
        self._tell_names()

    def _put_slice(self, endpoint_slice: Manifest) -> None:
        self._names.put(endpoint_slice)
        self._tell_names()

    def _remove_slice(self, endpoint_slice: Manifest) -> None:
        self._names.remove(endpoint_slice)
        self._tell_names()

    def _tell_names(self) -> None:
        addresses = self._names.addresses()
        for run in self._runs.values():
            run.know(addresses)

    async def _confirm_deletion(self, pod: Manifest) -> None:
        await persistently(
            lambda: self._client.delete(
                Pod, name_of(pod), namespace=namespace_of(pod), grace_period=0
            )
        )

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for node in list(self._nodes):
                await self._heartbeat(node)

    async def _heartbeat(self, node: str) -> None:
        renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": node},
            "spec": {
                "holderIdentity": node,
                "leaseDurationSeconds": LEASE_SECONDS,
                "renewTime": renewed,
            },
        }
        await persistently(
            lambda: self._client.patch(
                Lease,
                node,
                lease,
                namespace=LEASE_NAMESPACE,
                patch_type=PatchType.APPLY,
                field_manager=REPORTER,
                force=True,
            )
        )

    async def _set_ready(self, node: str, status: str, reason: str) -> None:
        condition = {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "lastHeartbeatTime": now(),
            "lastTransitionTime": now(),
        }
        await persistently(
            lambda: self._client.patch(
                Node.Status,
                node,
                {"status": {"conditions": [condition]}},
                patch_type=PatchType.STRATEGIC,
            )
        )

    async def _set_pod_not_ready(self, pod: Manifest) -> None:
        condition = {"type": "Ready", "status": "False", "lastTransitionTime": now()}
        await self._client.patch(
            Pod.Status,
            name_of(pod),
            {"status": {"conditions": [condition]}},
            namespace=namespace_of(pod),
            patch_type=PatchType.STRATEGIC,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(log_failure)
