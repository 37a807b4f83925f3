"""Moments of a promotion on a cluster, recognised by what its objects say, never by the clock."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.batch_v1 import Job
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import ConfigMap, Service, ServiceAccount

from tests.benchmarks.kill_matrix.moments import Moment, Promotion
from tests.benchmarks.kill_matrix.scene import Scene
from tests.cluster.project import ClusterProject
from tests.engine.harness.releases import SERVICE as DIGITS
from tidegate.cluster import names

Look = Callable[[ClusterProject, Scene], bool]

ERRORS_ALONE = {"errorRate": 0.05, "latency": {}}
"""Latencies need longer stages than a matrix of dozens of accidents can wait for."""
CANARY: Mapping[str, Any] = {
    "switch": {
        "strategy": "canary",
        "steps": [{"weight": 30, "seconds": 3}],
        "bakeSeconds": 4,
        "maxRegression": ERRORS_ALONE,
        "minimumRequests": 100,
        "patience": 20,
    }
}
DRAIN_RUNS = "drain runs"
"""Comes only when a request to the old revision outlasts the switch's own drain."""
SHORT_DRAIN: Mapping[str, Any] = {"drainSeconds": 3}
SLOT_KINDS = (ConfigMap, ServiceAccount, Service, Deployment)


def moments() -> tuple[Moment, ...]:
    """In the order of a promotion in which a new release replaces the old one."""
    return (
        _moment("first object of the new slot", _slot_begun),
        _moment("pods of the new slot waited for", _pods_waited_for),
        _moment("gate submitted", _gate_submitted),
        _moment("gate under load", _under_load),
        _moment("verdict written", _verdict_written),
        _moment("switch submitted", _switch_submitted),
        _moment("routes written", _routes_written),
        _moment("canary at 30%", _at_30, CANARY),
        _moment("canary bakes", _bakes, CANARY),
        _moment(DRAIN_RUNS, _drain_runs, SHORT_DRAIN),
        _moment("old gate deleted", _old_gate_gone),
        _moment("old slot goes", _old_slot_goes),
    )


def _moment(name: str, look: Look, settings: Mapping[str, Any] | None = None) -> Moment:
    def has_come(scene: Scene) -> bool:
        assert isinstance(scene.project, ClusterProject)
        return look(scene.project, scene)

    return Moment(name, Promotion.REPLACE, has_come, settings or {})


def _slot_begun(project: ClusterProject, scene: Scene) -> bool:
    return any(project.objects(kind, of(scene.new)) for kind in SLOT_KINDS)


def _pods_waited_for(project: ClusterProject, scene: Scene) -> bool:
    return bool(project.server_pods(scene.new))


def _gate_submitted(project: ClusterProject, scene: Scene) -> bool:
    """The run's lease is what is written first, its record and its Job come after."""
    return bool(project.objects(Lease, of(scene.new)))


def _under_load(project: ClusterProject, scene: Scene) -> bool:
    return any(
        run.get("event") == "progress" for run in _gate_runs(project, scene, "progress.json")
    )


def _verdict_written(project: ClusterProject, scene: Scene) -> bool:
    return bool(_gate_runs(project, scene, "verdict.json"))


def _switch_submitted(project: ClusterProject, scene: Scene) -> bool:
    return bool(_switch_runs(project, scene, "request.json"))


def _routes_written(project: ClusterProject, scene: Scene) -> bool:
    return project.weights().get(scene.new) == 100


def _at_30(project: ClusterProject, scene: Scene) -> bool:
    return project.weights().get(scene.new) == 30


def _bakes(project: ClusterProject, scene: Scene) -> bool:
    progress = _switch_runs(project, scene, "progress.json")
    stages = [each.get("stage") or {} for each in progress]
    return any(each.get("kind") == "bake" for each in stages) and _routes_written(project, scene)


def _drain_runs(project: ClusterProject, scene: Scene) -> bool:
    jobs = project.objects(Job, {**of(scene.old), names.JOB_LABEL: "drain"})
    return any(each.status is not None and each.status.active for each in jobs)


def _old_gate_gone(project: ClusterProject, scene: Scene) -> bool:
    return not project.objects(ConfigMap, {**of(scene.old), names.RECORD_LABEL: "gate"})


def _old_slot_goes(project: ClusterProject, scene: Scene) -> bool:
    """Some of its objects have gone, others are still there."""
    return not all(project.objects(kind, of(scene.old)) for kind in SLOT_KINDS[1:])


def of(revision: str) -> dict[str, str]:
    """Labels of what belongs to a revision."""
    return names.selector(revision=revision)


def _gate_runs(project: ClusterProject, scene: Scene, document: str) -> list[dict[str, Any]]:
    labels = {**of(scene.new), names.RECORD_LABEL: "gate-run"}
    return _documents(project.objects(ConfigMap, labels), document)


def _switch_runs(project: ClusterProject, scene: Scene, document: str) -> list[dict[str, Any]]:
    """Documents of the service's switches to the new revision."""
    found = project.objects(ConfigMap, names.selector(DIGITS, record="switch-run"))
    return [each for each in _documents(found, document) if each.get("to") == scene.new]


def _documents(records: list[Any], document: str) -> list[dict[str, Any]]:
    return [json.loads(each.data[document]) for each in records if document in (each.data or {})]
