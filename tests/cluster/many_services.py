"""Many services in one stack, most of them pretended: kwok says that their pods are ready.

Nobody can load-test a pretended server or send a request to it. So the gates of such services have
passed before, and in place of their switches' and drains' Jobs `PretendedJobs` writes the records.
"""

import asyncio
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.nodes import POOL_LABEL, Kubelet, Node
from tests.cluster.project import ANY_DIGEST, TRITON_IMAGE, ClusterProject
from tests.engine.harness.releases import SERVICE
from tidegate.cluster import names
from tidegate.cluster.client import Cluster, connect
from tidegate.cluster.kinds import CONFIG_MAP
from tidegate.gate.clock import utc_now
from tidegate.gate.verdict import Outcome
from tidegate.records.drains import DrainRecords
from tidegate.records.gate_documents import VerdictNote
from tidegate.records.gates import GateRecords
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.spec.digests import digest_bytes
from tidegate.spec.publishing import publish
from tidegate.spec.release import Release, Repository, load_release
from tidegate.spec.revision import Probes, Revision
from tidegate.spec.serving_on_kubernetes import KubernetesServing
from tidegate.spec.triton_config import config_pbtxt
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.objects import render
from tidegate.traffic.switch_documents import DrainRecord, Ending, SwitchOutcome

POLL_SECONDS = 0.2
READY_SECONDS = 120
GPUS_PER_NODE = 8
PASSED = VerdictNote(
    outcome=Outcome.PASS,
    summary="PASS, as this gate did before",
    request_digest=ANY_DIGEST,
    verdict_digest=ANY_DIGEST,
)


@dataclass(frozen=True)
class ManyServices:
    """Services of one project on one pool, each with its own release, host name and model image.

    `image` is their server's.
    """

    project: ClusterProject
    pool: str
    names: tuple[str, ...]
    image: str = TRITON_IMAGE
    ready_seconds: int = READY_SECONDS

    def publish(self) -> None:
        """Publish `<service>@1` for each service: digits@1 with the model under another name."""
        root = self.project.serving_root
        like = load_release(root, SERVICE, "1")
        for name in self.names:
            release = _publish_like(root, like, name)
            self.project.cluster.images.add_artifact(_image(name), root / release.repository.path)

    def settings(self, **more: Any) -> dict[str, Any]:
        """The services as a stack file has them."""
        return {name: {**self._settings(name), **more} for name in self.names}

    def revisions(self) -> Mapping[str, Revision]:
        """Service → the revision that its settings make."""
        return {name: self._revision(name) for name in self.names}

    async def pass_gates(self) -> None:
        """Leave gates in the namespace that have passed, as an earlier stack would."""
        client = connect(self.project.cluster.kubeconfig, None, self.project.namespace)
        records = GateRecords(client)
        try:
            for service, revision in self.revisions().items():
                await records.ensure(service, revision.id)
                await records.keep_verdict(revision.id, PASSED)
        finally:
            await client.close()

    def _settings(self, name: str) -> dict[str, Any]:
        return {
            "release": f"{name}@1",
            "gate": {"profile": "test"},
            "probes": {"readyTimeoutSeconds": self.ready_seconds},
            "kubernetes": {
                "image": self.image,
                "pool": self.pool,
                "cpus": 1,
                "memoryGib": 2,
                "sharedMemoryGib": 0.5,
                "hostnames": [host_name(name)],
                "model": {"ociImages": {f"{name}@1": {"reference": _image(name)}}},
            },
        }

    def _revision(self, name: str) -> Revision:
        serving = {
            "image": self.image,
            "model": {"ociImage": {"reference": _image(name)}},
            "pool": self.pool,
            "cpus": 1,
            "memoryGib": 2,
            "sharedMemoryGib": 0.5,
        }
        return Revision(
            platform="kubernetes",
            release=load_release(self.project.serving_root, name, "1"),
            probes=Probes(ready_timeout_seconds=self.ready_seconds),
            kubernetes=KubernetesServing.model_validate(serving),
        )


class PretendedJobs:
    """Does what the Jobs of some services' switches and drains would do, between enter and exit.

    Routes are written as the router renders them; nothing is asked through an Envoy. Runs in a
    thread of its own.
    """

    def __init__(
        self, cluster: KubernetesCluster, namespace: str, services: Collection[str]
    ) -> None:
        self._kubeconfig, self._namespace = cluster.kubeconfig, namespace
        self._services = frozenset(services)
        self._ended: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    async def _work(self) -> None:
        client = connect(self._kubeconfig, None, self._namespace)
        try:
            while not self._stop.is_set():
                for name in await self._new(client, "switch-run"):
                    await _switch(client, name)
                for name in await self._new(client, "drain"):
                    await _drain(client, name)
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await client.close()

    async def _new(self, client: Cluster, record: str) -> list[str]:
        """Names of records that were not there before; each is named once."""
        found = {
            each["metadata"]["name"]
            for each in await client.select(CONFIG_MAP, names.labels(record=record))
            if each["metadata"]["labels"][names.SERVICE_LABEL] in self._services
        }
        new = sorted(found - self._ended)
        self._ended.update(new)
        return new


def host_name(service: str) -> str:
    return f"{service}.example.org"


def pretended_nodes(pool: str, gpus: int) -> list[Node]:
    """As many nodes of the pool as have so many GPUs; their pods are ready at once."""
    count = -(-gpus // GPUS_PER_NODE)
    return [
        Node(f"{pool}-{number}", Kubelet.KWOK, pool=pool, gpus=GPUS_PER_NODE, cpu="192")
        for number in range(count)
    ]


def pretended_pool(pool: str) -> dict[str, Any]:
    """The pool as a stack file has it."""
    return {"nodeLabels": {POOL_LABEL: pool}, "gpusPerNode": GPUS_PER_NODE, "gpuMemoryGib": 24}


def _publish_like(serving_root: Path, like: Release, service: str) -> Release:
    """Model names are the services': a stack refuses two services with one."""
    signature = like.model.model_copy(update={"name": service})
    folder = f"models/{service}/1"
    files: dict[str, bytes] = {}
    for path in like.repository.files:
        content = (serving_root / like.repository.path / path).read_bytes()
        if path.endswith("config.pbtxt"):
            content = config_pbtxt(signature, like.settings).encode()
        files[path.replace(f"{like.model.name}/", f"{service}/", 1)] = content
    digests = {path: digest_bytes(content) for path, content in files.items()}
    release = like.model_copy(
        update={
            "service": service,
            "models": (signature,),
            "repository": Repository(path=folder, files=digests),
        }
    )
    publish(serving_root, release, {f"{folder}/{path}": data for path, data in files.items()})
    return release


async def _switch(client: Cluster, name: str) -> None:
    records = SwitchRecords(client)
    run = await records.run(name)
    if run is None:
        return
    request = run.request
    for kind, content in render(DesiredRoutes(request.stages[-1].routes, ()), run.gateway):
        await client.apply(kind, content)
    await records.note_served(request.service, request.to_revision)
    await records.end(name, _outcome(run))


async def _drain(client: Cluster, name: str) -> None:
    records = DrainRecords(client)
    run = await records.run(name)
    if run is not None:
        revision = run.request.revision
        await records.end(name, DrainRecord(revision=revision, seconds=0, open_requests={}))


def _outcome(run: SwitchRun) -> SwitchOutcome:
    request = run.request
    return SwitchOutcome(
        service=request.service,
        run=request.run,
        from_revision=request.from_revision,
        to_revision=request.to_revision,
        ending=Ending.ADVANCED,
        reason="pretended",
        was_shown=False,
        stage=len(request.stages),
        of=len(request.stages),
        judgement=None,
        candidate_requests=0,
        candidate_errors=0,
        drained=None,
        at=utc_now(),
    )


def _image(service: str) -> str:
    return f"registry.test/models/{service}@{ANY_DIGEST}"
