"""Whether a stack on a cluster is what its file declares, and nothing else."""

import contextlib
import json
from collections.abc import Iterator, Set
from typing import Any

import psutil
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment, ReplicaSet
from lightkube.resources.batch_v1 import Job
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import ConfigMap, Pod, Service, ServiceAccount
from lightkube.resources.discovery_v1 import EndpointSlice
from lightkube.resources.networking_v1 import NetworkPolicy
from lightkube.resources.policy_v1 import PodDisruptionBudget

from tests.benchmarks.kill_matrix.checks import LANGUAGE_HOST
from tests.cluster.project import ClusterProject, HTTPRoute
from tests.engine.harness.processes import processes_of
from tests.engine.harness.releases import SERVICE
from tests.engine.harness.waiting import wait_for
from tidegate.cluster import names

GRPCRoute = create_namespaced_resource("gateway.networking.k8s.io", "v1", "GRPCRoute", "grpcroutes")
KINDS = (
    ConfigMap,
    Deployment,
    EndpointSlice,
    GRPCRoute,
    HTTPRoute,
    Job,
    Lease,
    NetworkPolicy,
    Pod,
    PodDisruptionBudget,
    ReplicaSet,
    Service,
    ServiceAccount,
)
OUTLIVING = (LANGUAGE_HOST, "pulumi-resource-kubernetes")
"""Pulumi's own; they outlive an engine that is killed."""
SETTLE_SECONDS = 60.0
"""A killed program's children need a moment to notice, and pods have their grace."""


def differences(project: ClusterProject, live: str, standby: str | None) -> list[str]:
    """One sentence for everything that is not as declared, by revisions."""
    revisions = {live, *({standby} if standby is not None else ())}
    return [
        *_state(project, live, standby),
        *_strays(project, revisions),
        *_records(project, revisions),
    ]


def _state(project: ClusterProject, live: str, standby: str | None) -> Iterator[str]:
    revisions = {live, *({standby} if standby is not None else ())}
    weights = {live: 100, **({standby: 0} if standby is not None else {})}
    outputs = project.outputs()["services"][SERVICE]
    for what, found, wanted in (
        ("live", outputs["live"], live),
        ("standby", outputs["standby"], standby or ""),
        ("routes", project.weights(), weights),
        ("slots", project.servers(), revisions),
        ("gates that passed", _passed(project), revisions),
    ):
        if found != wanted:
            yield f"{what}: {found}, declared {wanted}"
    for revision in revisions & project.servers():
        pods = project.server_pods(revision)
        if len(pods) != 1:
            yield f"{revision} has the pods {pods}, declared one replica"
    again = project.preview()
    if again.changes:
        yield f"a second preview is not without changes:\n{again.output}"


def _strays(project: ClusterProject, revisions: Set[str]) -> Iterator[str]:
    """Objects and processes that belong to nothing declared, after time to go."""
    try:
        wait_for("the end of strays", lambda: not _stray(project, revisions), SETTLE_SECONDS, 0.5)
    except AssertionError:
        yield f"nobody declares {_stray(project, revisions)}"


def _stray(project: ClusterProject, revisions: Set[str]) -> list[str]:
    return [*_stray_objects(project, revisions), *_stray_processes(project)]


def _stray_objects(project: ClusterProject, revisions: Set[str]) -> list[str]:
    """Of other revisions, and runners that still work."""
    found = []
    for kind in KINDS:
        for each in project.objects(kind, {}):
            revision = (each.metadata.labels or {}).get(names.REVISION_LABEL)
            if revision is not None and revision not in revisions:
                found.append(f"{kind.__name__} {each.metadata.name}")
    jobs = project.objects(Job)
    active = [each for each in jobs if each.status is not None and each.status.active]
    return [*found, *(f"running Job {each.metadata.name}" for each in active)]


def _stray_processes(project: ClusterProject) -> list[str]:
    """Engines and providers. Containers also name the project's folder: models come from it."""
    return [
        f"process {process.pid} {command[:200]}"
        for process, command in _of_pulumi(project)
        if not _is_outliving(command)
    ]


def end_outliving(project: ClusterProject) -> None:
    """They would fill the memory in the course of a matrix."""
    for process, command in _of_pulumi(project):
        if _is_outliving(command):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _is_outliving(command: str) -> bool:
    return any(each in command for each in OUTLIVING)


def _of_pulumi(project: ClusterProject) -> Iterator[tuple[psutil.Process, str]]:
    """Processes of the project's updates with their command lines."""
    for process in processes_of(project.root):
        with contextlib.suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if "pulumi" in command:
                yield process, command


def _records(project: ClusterProject, revisions: Set[str]) -> Iterator[str]:
    """Runs without an outcome, leases without a run, a pool that is still held."""
    records = project.objects(ConfigMap)
    for each in records:
        kind = each.metadata.labels.get(names.RECORD_LABEL)
        if kind == "switch-run" and "outcome.json" not in each.data:
            yield f"{each.metadata.name} has no outcome"
        if kind == "drain":
            yield f"{each.metadata.name} is left"
    known = {each.metadata.name for each in records}
    pools = names.accelerator_pool_lease("")
    for each in project.objects(Lease):
        name = str(each.metadata.name)
        if name.startswith(pools):
            if each.spec.holderIdentity:
                yield f"{name} is held by {each.spec.holderIdentity}"
        elif name not in known:
            yield f"Lease {name} belongs to no record"


def _passed(project: ClusterProject) -> set[str]:
    """Revisions with a gate; one that has not passed is marked."""
    found: set[str] = set()
    for each in project.objects(ConfigMap, names.selector(record="gate")):
        verdict: dict[str, Any] = json.loads((each.data or {}).get("verdict.json", "{}"))
        revision = str(each.metadata.labels[names.REVISION_LABEL])
        has_passed = verdict.get("outcome") == "PASS"
        found.add(revision if has_passed else f"{revision} (not passed)")
    return found
