"""What is wrong with a cluster, its objects or the way to it is said in time and by name."""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lightkube import Client, KubeConfig
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, ServiceAccount

from tests.cluster.broken_services import (
    CLAIM,
    CRASHING,
    EMPTY_POOL,
    LARGER_POOL,
    REFUSED,
    STORAGE_CLASS,
    TAMPERED,
    UNBOUND,
    UNPLACED,
    BrokenServices,
)
from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.control_plane import ControlPlane
from tests.cluster.harness.credentials import kubeconfig, serving_certificate
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.harness.network import ClusterNetwork
from tests.cluster.project import ClusterProject, HTTPRoute, project_in
from tests.engine.harness.command import Command, Run
from tests.engine.harness.waiting import wait_for
from tests.unit.gate.bucket_fake import serving_bucket
from tidegate.cluster.names import RUNNER

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

PREVIEW_SECONDS = 120.0
"""A preview's own time, on a busy machine: none of it is spent on waiting."""
BROKEN_SECONDS = 200.0
"""For an update that meets four troubles: the crash loop is told 20 s after the third crash,
and not after LONG_SECONDS."""
MISSING_KIND_SECONDS = 200.0
"""pulumi-kubernetes looks for a kind for 63 s before it gives up."""
NAMESPACE, ELSEWHERE = "errors", "elsewhere"
NO_RIGHTS = "no-rights"


class ProjectElsewhere(ClusterProject):
    """A project with whatever kubeconfig a test writes. Nothing of it has to be taken down."""

    @property
    def kubeconfig_file(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def platform(self) -> dict[str, Any]:
        settings = super().platform
        settings["kubernetes"]["kubeconfig"] = str(self.kubeconfig_file)
        return settings


# -- kinds that are not installed ----------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(
    cluster: KubernetesCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """An API server without any custom resource; nothing runs pods there."""
    network = ClusterNetwork()
    plane = ControlPlane(network, cluster.tools, tmp_path_factory.mktemp("bare"))
    try:
        plane.etcd.start()
        plane.start_apiserver()
        yield plane
    finally:
        plane.stop()
        network.close()


@dataclass(frozen=True)
class Uninstalled:
    """A preview on the bare API server, and the update that followed it."""

    preview: Run
    update: Command


@pytest.fixture(scope="module")
def uninstalled(
    cluster: KubernetesCluster, bare: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Uninstalled:
    """The update goes on beside the other tests: it does little but wait."""
    client = Client(config=KubeConfig.from_dict(json.loads(bare.kubeconfig)), trust_env=False)
    for name in (ELSEWHERE, "envoy-gateway-system"):
        client.create(Namespace(metadata=ObjectMeta(name=name)))
    project = ProjectElsewhere(tmp_path_factory.mktemp("bare") / "p", cluster, ELSEWHERE)
    project.kubeconfig_file.write_text(bare.kubeconfig, encoding="utf-8")
    project.declare_digits("1", serving={"nodes": 2, "workerCommand": ["true"]})
    return Uninstalled(project.preview(), project.start_up())


@pytest.mark.parametrize(
    "kind",
    [
        "HTTPRoute (gateway.networking.k8s.io/v1)",
        "BackendTrafficPolicy (gateway.envoyproxy.io/v1alpha1)",
        "LeaderWorkerSet (leaderworkerset.x-k8s.io/v1)",
    ],
)
def test_a_preview_names_kinds_that_are_not_installed(uninstalled: Uninstalled, kind: str) -> None:
    assert uninstalled.preview.seconds < PREVIEW_SECONDS
    assert f"the cluster does not know {kind}" in uninstalled.preview.output


# -- objects that are accepted and do not work ---------------------------------------------------


@pytest.fixture(scope="module")
def broken(
    cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrokenServices]:
    folder = tmp_path_factory.mktemp("stack")
    with (
        serving_bucket(cluster.network.host_address) as bucket,
        project_in(cluster, NAMESPACE, folder) as project,
    ):
        yield BrokenServices(project, folder, bucket)


@pytest.fixture(scope="module")
def told(broken: BrokenServices) -> Run:
    """One update that meets all five."""
    broken.declare()
    update = broken.project.start_up(continue_on_error=True)
    wait_for("the runner's role", broken.take_rights_away)
    return update.wait()


def test_one_update_ends_in_time_and_gives_nobody_traffic(
    broken: BrokenServices, told: Run
) -> None:
    assert not told.succeeded
    assert told.seconds < BROKEN_SECONDS
    assert "Traceback" not in told.output
    assert broken.project.objects(HTTPRoute) == []


def test_a_pod_that_no_node_takes_names_the_reason_and_pools_that_could(told: Run) -> None:
    said = message(told, f"{UNPLACED}-1-")

    assert "cannot be scheduled: 0/8 nodes are available: 8 node(s) didn't match" in said
    assert f"An empty node of its pool {EMPTY_POOL} could take it: raise the pool's size" in said
    assert f"nodes of {LARGER_POOL}" in said


def test_a_crash_loop_shows_the_last_lines_of_the_log(told: Run) -> None:
    said = message(told, f"{CRASHING}-1-")

    assert " is not ready (" in said, "given up before its time was over"
    assert "Container triton of Pod" in said
    assert "times (exit code 7). Its log ends with:" in said
    assert "no such file: weights.bin" in told.output


def test_model_files_that_are_not_the_releases_are_named(told: Run) -> None:
    said = message(told, f"{TAMPERED}-1-")

    assert "Init container model-files of Pod " in said
    assert f"{TAMPERED}/config.pbtxt" in said
    assert "sha256:" in said


def test_a_claim_that_is_not_bound_is_named_with_what_it_lacks(told: Run) -> None:
    said = message(told, f"{UNBOUND}-1-")

    assert f"PersistentVolumeClaim {CLAIM}: storageclass.storage.k8s.io" in said
    assert f'"{STORAGE_CLASS}" not found. Mend the claim' in said


def test_a_switch_that_may_not_write_routes_names_verb_resource_and_account(told: Run) -> None:
    said = message(told, f"{REFUSED}-1-", "does not take the traffic")

    assert f'User "system:serviceaccount:{NAMESPACE}:{RUNNER}" cannot ' in said
    assert 'routes" in API group "gateway.networking.k8s.io"' in said, "HTTPRoutes or GRPCRoutes"
    assert f'in the namespace "{NAMESPACE}". Give that account the permission' in said


def test_the_next_update_converges_where_the_cause_is_mended(
    broken: BrokenServices, told: Run
) -> None:
    broken.mend()
    broken.project.up()

    routes = {each.metadata.name for each in broken.project.objects(HTTPRoute)}
    assert routes == {REFUSED, UNPLACED}


def message(run: Run, start: str, part: str = "is not ready") -> str:
    """The line of the update's summary that begins with an error about what `start` names."""
    summary = run.output.rpartition("Diagnostics:")[2]
    (found,) = (
        line
        for line in summary.splitlines()
        if line.strip().startswith(f"error: {start}") and part in line
    )
    return found


# -- the way to the API server -------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere(
    cluster: KubernetesCluster, tmp_path_factory: pytest.TempPathFactory
) -> ProjectElsewhere:
    project = ProjectElsewhere(tmp_path_factory.mktemp("elsewhere") / "p", cluster, ELSEWHERE)
    project.declare_digits("1")
    return project


def refused_preview(project: ProjectElsewhere, config: str) -> str:
    """What a preview with the kubeconfig says, which fails in time."""
    project.kubeconfig_file.write_text(config, encoding="utf-8")
    run = project.preview(expect_failure=True)
    assert run.seconds < PREVIEW_SECONDS
    assert "Traceback" not in run.output
    return run.output


def test_an_unreachable_server_is_named_at_preview(
    cluster: KubernetesCluster, elsewhere: ProjectElsewhere
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{unused.getsockname()[1]}"
    config = kubeconfig(server, cluster.control_plane.authority, "any")

    assert f"{server} does not answer" in refused_preview(elsewhere, config)


def test_a_server_with_another_certificate_is_told_from_a_silent_one(
    cluster: KubernetesCluster, elsewhere: ProjectElsewhere, tmp_path: Path
) -> None:
    plane = cluster.control_plane
    other = serving_certificate(tmp_path, "other", ["127.0.0.1"]).certificate

    said = refused_preview(elsewhere, kubeconfig(plane.url, other, "any"))

    assert f"the certificate of {plane.url} is not one that the kubeconfig's" in said


def test_credentials_that_are_not_accepted_are_told_at_preview(
    cluster: KubernetesCluster, elsewhere: ProjectElsewhere
) -> None:
    plane = cluster.control_plane

    said = refused_preview(elsewhere, kubeconfig(plane.url, plane.authority, "expired"))

    assert f"{plane.url} does not accept the credentials of the kubeconfig" in said
    assert "Log in again" in said


def test_a_missing_permission_names_verb_resource_and_namespace(
    cluster: KubernetesCluster, elsewhere: ProjectElsewhere
) -> None:
    account = ServiceAccount(metadata=ObjectMeta(name=NO_RIGHTS, namespace="default"))
    cluster.client().create(account)

    said = refused_preview(elsewhere, cluster.kubeconfig_for("default", NO_RIGHTS))

    assert f'User "system:serviceaccount:default:{NO_RIGHTS}" cannot ' in said
    assert f'in the namespace "{ELSEWHERE}"' in said


def test_an_update_without_a_kind_names_it_and_stops_there(uninstalled: Uninstalled) -> None:
    run = uninstalled.update.wait()

    assert not run.succeeded
    assert engine_seconds(run) < MISSING_KIND_SECONDS
    assert 'no matches for kind "EnvoyProxy" in version "gateway.envoyproxy.io/v1alpha1"' in (
        run.output
    )
    assert "LoadTestGate" not in run.output


def engine_seconds(run: Run) -> int:
    """How long the update took by its own account: nobody looked when it ended."""
    found = re.search(r"Duration: (?:(\d+)m)?(\d+)s", run.output)
    assert found is not None, run.output
    return 60 * int(found[1] or 0) + int(found[2])
