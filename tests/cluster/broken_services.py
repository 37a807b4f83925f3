"""Five services in one stack that cannot take traffic, each for a reason of its own."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightkube.models.core_v1 import PersistentVolumeClaimSpec, VolumeResourceRequirements
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import PersistentVolumeClaim
from lightkube.resources.rbac_authorization_v1 import Role

from tests.cluster.harness.images import SEARCH_PATH, Image
from tests.cluster.harness.nodes import Kubelet, Node
from tests.cluster.harness.programs import STUB_IMAGE, TRITON_HOME
from tests.cluster.many_services import ManyServices, pretended_pool
from tests.cluster.models import models_in
from tests.cluster.project import ANY_DIGEST, POOL, ClusterProject
from tests.unit.gate.bucket_fake import FakeBucket
from tidegate.cluster import names

REFUSED, UNPLACED, CRASHING, UNBOUND = "refused", "unplaced", "crashing", "unbound"
TAMPERED = "tampered"
STUB = f"{STUB_IMAGE}@{ANY_DIGEST}"
CRASHING_IMAGE = f"registry.test/crashing@{ANY_DIGEST}"
CRASH = "#!/bin/sh\necho loading the model\necho no such file: weights.bin >&2\nexit 7\n"
EMPTY_POOL, LARGER_POOL = "b200", "h100"
"""A declared pool without any node, and another one whose nodes are as large."""
CLAIM = "models"
STORAGE_CLASS = "warm"
SCHEDULING_SECONDS = 5
SHORT_SECONDS, LONG_SECONDS = 10, 300
"""`readyTimeoutSeconds`: of those that wait until the end, and of those that need not."""


class BrokenServices:
    """What is declared, what it needs before, and how the half of it is mended."""

    def __init__(self, project: ClusterProject, folder: Path, bucket: FakeBucket) -> None:
        self.project = project
        self._rules_of_the_runner: list[dict[str, Any]] = []
        self._refused = ManyServices(project, POOL, (REFUSED,), STUB, LONG_SECONDS)
        self._unplaced = ManyServices(project, EMPTY_POOL, (UNPLACED,), STUB, SHORT_SECONDS)
        self._crashing = ManyServices(project, POOL, (CRASHING,), CRASHING_IMAGE, LONG_SECONDS)
        self._unbound = ManyServices(project, POOL, (UNBOUND,), STUB, SHORT_SECONDS)
        self._tampered = ManyServices(project, POOL, (TAMPERED,), STUB, LONG_SECONDS)
        ours = (self._refused, self._unplaced, self._crashing, self._unbound, self._tampered)
        for each in ours:
            each.publish()
        self._storage = models_in(bucket, project, "nothing", (TAMPERED, "1"))
        for key in bucket.objects:
            bucket.objects[key] += b"#"
        for each in (self._refused, self._unplaced):
            asyncio.run(each.pass_gates())
        project.cluster.images.add(CRASHING_IMAGE, _crashing_image(folder))
        project.api.create(_claim())

    def declare(self) -> None:
        """All five."""
        unbound = self._unbound.settings()
        unbound[UNBOUND]["kubernetes"]["model"] = {"persistentVolumeClaim": {"claim": CLAIM}}
        tampered = self._tampered.settings()
        tampered[TAMPERED]["kubernetes"]["model"] = self._storage
        crashing = self._crashing.settings()
        self._declare({**self._mendable(), **crashing, **unbound, **tampered})

    def mend(self) -> None:
        """Give back the runner's rights and give the pool a node; the others are taken out."""
        self._allow(self._rules_of_the_runner)
        self.project.cluster.nodes.add(Node("b200-0", Kubelet.STAND_IN, pool=EMPTY_POOL, gpus=8))
        self._declare(self._mendable())

    def take_rights_away(self) -> bool:
        """Have the runner's account lose its rights on routes; False while it has no role yet."""
        for role in self.project.api.list(Role):
            if role.metadata is not None and role.metadata.name == names.RUNNER:
                self._rules_of_the_runner = [each.to_dict() for each in role.rules or ()]
                self._allow(
                    [
                        each
                        for each in self._rules_of_the_runner
                        if "httproutes" not in each["resources"]
                    ]
                )
                return True
        return False

    def revision(self, service: str) -> str:
        """Id of the revision that a service of ours becomes."""
        known = {**self._refused.revisions(), **self._unplaced.revisions()}
        known |= {**self._crashing.revisions(), **self._tampered.revisions()}
        return known[service].id

    def _mendable(self) -> dict[str, Any]:
        return {**self._refused.settings(), **self._unplaced.settings()}

    def _declare(self, services: Mapping[str, Any]) -> None:
        platform = self.project.platform
        kubernetes = platform["kubernetes"]
        for pool in (EMPTY_POOL, LARGER_POOL):
            kubernetes["pools"][pool] = pretended_pool(pool)
        kubernetes["schedulingSeconds"] = SCHEDULING_SECONDS
        self.project.declare(services, platform)

    def _allow(self, rules: list[dict[str, Any]]) -> None:
        self.project.api.patch(Role, names.RUNNER, {"rules": rules})


def _crashing_image(folder: Path) -> Image:
    """A `tritonserver` that writes two lines and ends."""
    program = folder / "tritonserver"
    program.write_text(CRASH, encoding="utf-8")
    program.chmod(0o755)
    return Image(
        mounts={f"{TRITON_HOME}/bin/tritonserver": program},
        environment={"PATH": f"{TRITON_HOME}/bin:{SEARCH_PATH}"},
    )


def _claim() -> PersistentVolumeClaim:
    """One of a storage class that there is not."""
    spec = PersistentVolumeClaimSpec(
        accessModes=["ReadOnlyMany"],
        storageClassName=STORAGE_CLASS,
        resources=VolumeResourceRequirements(requests={"storage": "1Gi"}),
    )
    return PersistentVolumeClaim(metadata=ObjectMeta(name=CLAIM), spec=spec)
