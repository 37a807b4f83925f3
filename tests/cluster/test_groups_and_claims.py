"""A slot over several nodes, and one whose model files are on a volume."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.core_v1 import (
    HostPathVolumeSource,
    PersistentVolumeClaimSpec,
    PersistentVolumeSpec,
    VolumeResourceRequirements,
)
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import StatefulSet
from lightkube.resources.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod, Service

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.harness.leader_worker_sets import LeaderWorkerSets
from tests.cluster.project import ClusterProject, project_in
from tests.cluster.users import Users
from tests.engine.harness.releases import SERVICE
from tests.engine.harness.waiting import wait_for
from tidegate.cluster import names
from tidegate.spec.release import load_release

pytestmark = [pytest.mark.cluster, pytest.mark.extended, pytest.mark.timeout(600)]

CLAIM = "warm"
ON_A_VOLUME = {"model": {"persistentVolumeClaim": {"claim": CLAIM}}}
WORKER = """
until getent hosts "$LWS_LEADER_ADDRESS"; do sleep 0.2; done
echo "worker $LWS_WORKER_INDEX of $LWS_GROUP_SIZE"
trap "exit 0" TERM
while :; do sleep 0.2; done
"""
OVER_TWO_NODES = {**ON_A_VOLUME, "nodes": 2, "workerCommand": ["sh", "-c", WORKER]}
LeaderWorkerSet = create_namespaced_resource(
    "leaderworkerset.x-k8s.io", "v1", "LeaderWorkerSet", "leaderworkersets"
)


@pytest.fixture(scope="module")
def project(
    cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterProject]:
    controller = LeaderWorkerSets(cluster)
    folder = tmp_path_factory.mktemp("stack")
    with project_in(cluster, "groups", folder) as project:
        bind_claim(project, volume_of(project))
        yield project
    cluster.client().delete(PersistentVolume, CLAIM)
    controller.close()


def volume_of(project: ClusterProject) -> Path:
    return project.root.parent / "volume"


def upload(project: ClusterProject, release: str) -> Path:
    """Put a release's files on the volume; returns their folder there."""
    path = load_release(project.serving_root, SERVICE, release).repository.path
    shutil.copytree(project.serving_root / path, volume_of(project) / path)
    return volume_of(project) / path


def bind_claim(project: ClusterProject, folder: Path) -> None:
    """A volume in a folder of this machine, and a claim bound to it."""
    folder.mkdir()
    access, size = ["ReadWriteMany"], {"storage": "1Gi"}
    volume = PersistentVolumeSpec(
        accessModes=access,
        capacity=dict(size),
        hostPath=HostPathVolumeSource(path=str(folder)),
        storageClassName="",
    )
    claim = PersistentVolumeClaimSpec(
        accessModes=access,
        resources=VolumeResourceRequirements(requests=dict(size)),
        storageClassName="",
        volumeName=CLAIM,
    )
    metadata = ObjectMeta(name=CLAIM)
    project.api.create(PersistentVolume(metadata=metadata, spec=volume))
    project.api.create(PersistentVolumeClaim(metadata=metadata, spec=claim))

    def is_bound() -> bool:
        status = project.api.get(PersistentVolumeClaim, CLAIM).status
        return status is not None and status.phase == "Bound"

    wait_for("the claim", is_bound)


def test_promoted_to_a_group_of_nodes_whose_files_are_on_a_volume(
    project: ClusterProject, gateway: EnvoyGateway
) -> None:
    project.declare_digits("1")
    project.up()
    one, new = project.revision("1"), project.new_release()
    upload(project, new)
    project.declare_digits(new, serving=OVER_TWO_NODES)
    with Users(project, gateway) as users:
        project.up()

    assert users.failures == []
    two = users.revisions[-1]
    assert users.revisions == [one, two] and project.weights() == {two: 100}
    pods = {each.metadata.name: each for each in project.objects(Pod, {names.REVISION_LABEL: two})}
    pods = {name: each for name, each in pods.items() if name in {f"{two}-0", f"{two}-0-1"}}
    assert set(pods) == {f"{two}-0", f"{two}-0-1"}
    assert "worker 1 of 2" in project.cluster.kubelet.log(project.namespace, f"{two}-0-1")
    assert not project.preview().changes


def test_a_wrong_file_on_the_volume_is_named_and_never_served(project: ClusterProject) -> None:
    live, new = project.weights(), project.new_release()
    (wrong,) = upload(project, new).rglob("model.py")
    wrong.write_text("# edited on the volume\n", encoding="utf-8")
    project.declare_digits(new, serving=ON_A_VOLUME)

    refused = project.up(expect_failure=True)

    assert f"{wrong.relative_to(wrong.parents[2])}" in refused.output
    assert "does not hold the release" in refused.output
    assert project.weights() == live


def test_nothing_is_left_of_a_group(project: ClusterProject) -> None:
    (group,) = project.objects(LeaderWorkerSet)
    project.remove()

    def left() -> list[str]:
        kinds: tuple[Any, ...] = (LeaderWorkerSet, StatefulSet, Pod, Service)
        found = [each for kind in kinds for each in project.api.list(kind)]
        return [each.metadata.name for each in found if group.metadata.name in each.metadata.name]

    wait_for("the end of the group", lambda: not left(), 60)
    assert project.left_objects() == []
