"""Points on a test cluster."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from lightkube.core.resource import Resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace

from tests.benchmarks.kill_matrix.line import Line
from tests.benchmarks.kill_matrix.points import Point, PointResult
from tests.benchmarks.kill_matrix.recovery import Declared
from tests.benchmarks.kill_matrix.running import MakeLine
from tests.benchmarks.kubernetes_cluster import temporary_cluster
from tests.benchmarks.kubernetes_kills.checks import KINDS, differences, end_outliving
from tests.benchmarks.kubernetes_kills.moments import DRAIN_RUNS
from tests.benchmarks.kubernetes_kills.open_stream import open_stream
from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.project import ClusterProject
from tests.cluster.users import Users

SERVING: Mapping[str, Any] = {"termination": {"preStopSeconds": 1, "exitTimeoutSeconds": 5}}
"""Each point waits until the pods of its old slot have gone."""

LOAD_PER_SECOND = 20.0
JUDGED_PER_SECOND = 60.0
"""A canary is judged by its users' requests."""


@contextmanager
def cluster_lines() -> Iterator[MakeLine]:
    """A cluster on which every line has a namespace of its own."""
    numbers = count(1)
    with temporary_cluster() as (cluster, folder):
        gateway = EnvoyGateway(cluster)

        @contextmanager
        def make_line() -> Iterator[Line]:
            name = f"kills-{next(numbers)}"
            client = cluster.client()
            client.create(Namespace(metadata=ObjectMeta(name=name)))
            project = ClusterProject(folder / name / "p", cluster, name)
            try:
                yield ClusterLine(project, gateway)
            finally:
                # Everything of the stack is in its namespace.
                client.delete(Namespace, name)
                end_outliving(project)

        yield make_line


class ClusterLine(Line):
    poll_seconds = 0.02

    def __init__(self, project: ClusterProject, gateway: EnvoyGateway) -> None:
        self._project = project
        self._gateway = gateway
        super().__init__(project)

    @property
    def _always(self) -> Mapping[str, Any]:
        return {"serving": SERVING}

    def _revision(self, release: str) -> str:
        return self._project.revision_served(release, SERVING)

    @contextmanager
    def _load(self, point: Point, result: PointResult) -> Iterator[None]:
        """Users of HTTP; a stream as well where the old revision must not be done at once."""
        outlasting = point.moment.name == DRAIN_RUNS
        stream = open_stream(self._project, self._gateway) if outlasting else nullcontext()
        rate = JUDGED_PER_SECOND if point.moment.settings else LOAD_PER_SECOND
        users = Users(self._project, self._gateway, rate)
        with users, stream:
            yield
        _count(result, users)

    def _differences(self, declared: Declared) -> list[str]:
        standby = declared.standby
        found = differences(
            self._project,
            self._revision(declared.release),
            self._revision(standby) if standby is not None else None,
        )
        end_outliving(self._project)
        return found

    def keep(self, folder: Path) -> None:
        """Logs of pulumi, and the objects of the namespace."""
        folder.mkdir(parents=True)
        shutil.copytree(self._project.root / "logs", folder / "logs")
        objects = {
            f"{kind.__name__} {each.metadata.name}": each.to_dict() for kind, each in self._all()
        }
        (folder / "objects.yaml").write_text(yaml.safe_dump(objects), encoding="utf-8")

    def _all(self) -> Iterator[tuple[type[Resource], Any]]:
        for kind in KINDS:
            for each in self._project.objects(kind, {}):
                yield kind, each


def _count(result: PointResult, users: Users) -> None:
    failures = users.failures
    result.requests = len(users.answers) + len(failures)
    result.failed_requests = len(failures)
    result.first_failures = failures[:3]
    if failures:
        first, last = (float(failures[number].partition(":")[0]) for number in (0, -1))
        result.seconds_with_failures = round(last - first, 2)
