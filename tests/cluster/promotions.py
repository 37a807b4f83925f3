"""Promotions that something goes wrong with, one after the other in one stack."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightkube.resources.batch_v1 import Job

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.project import ClusterProject, project_in
from tests.engine.harness.waiting import wait_for
from tidegate.cluster import names

GATE_SECONDS = 120.0
END_SECONDS = 60.0


@contextmanager
def promotions_in(
    cluster: KubernetesCluster, namespace: str, folder: Path
) -> Iterator["Promotions"]:
    """A stack in a namespace of its own; both are removed at the end."""
    with project_in(cluster, namespace, folder) as project:
        yield Promotions(project)


class Promotions:
    """A service that goes from release to release.

    `live` is the release that has the traffic, `new` the one that is to take it. What one
    promotion ends with is what the next one begins with: to go back each time would cost a
    promotion more.
    """

    def __init__(self, project: ClusterProject) -> None:
        self.project = project
        self.live = "1"
        self.new = "1"
        self._standby: str | None = None
        self._gates: set[str] = set()

    def prepare(self) -> None:
        """Have the live release serve, and declare a new one whose promotion it would stand by."""
        project = self.project
        if not project.is_settled:
            self._standby = None
            self._declare_live()
            project.settle()
        self.new = project.new_release()
        self.declare()

    def declare(self, **settings: Any) -> None:
        """Declare the new release beside the live one; `settings` are the service's others."""
        self.project.declare_digits(self.new, standby=self.live, **settings)

    @property
    def revision(self) -> str:
        """Of the new release."""
        return self.project.revision(self.new)

    @property
    def live_revision(self) -> str:
        return self.project.revision(self.live)

    def has_not_moved(self) -> bool:
        """Whether the live release has all of the traffic, as before the promotion."""
        return self.project.weights() == self._weights(self.live, self._standby)

    def converges(self) -> None:
        """The next update ends in what is declared, and leaves nothing to do."""
        self.project.up()
        assert self.project.weights() == self._weights(self.new, self.live)
        assert not self.project.preview().changes
        self.live, self._standby = self.new, self.live

    def reverts(self) -> None:
        """Declared as before, the next update leaves nothing of the new one, and nothing to do."""
        self._declare_live()
        self.project.up()
        assert self.has_not_moved()
        wait_for("the end of what nobody declares", self._nothing_is_left, END_SECONDS)
        assert not self.project.preview().changes

    def running_gate(self) -> str:
        """Wait for another gate of the new release; returns the name of its pod."""
        project = self.project

        def pod() -> str | None:
            for each in project.runner_pods("gate"):
                name, labels = str(each.metadata.name), each.metadata.labels
                is_of_new = labels[names.REVISION_LABEL] == self.revision
                # One whose Job was deleted takes its time to end.
                if is_of_new and each.status.phase == "Running" and name not in self._gates:
                    return name
            return None

        found = wait_for(f"the gate of {self.revision}", pod, GATE_SECONDS)
        self._gates.add(found)
        return found

    def gate_jobs(self) -> list[str]:
        """Names of the Jobs that the new release's gate has had, oldest first."""
        labels = {names.JOB_LABEL: "gate", names.REVISION_LABEL: self.revision}
        return sorted(str(each.metadata.name) for each in self.project.objects(Job, labels))

    def _nothing_is_left(self) -> bool:
        return not self.gate_jobs() and not self.project.left_objects(self.revision)

    def _declare_live(self) -> None:
        self.project.declare_digits(self.live, self._standby)

    def _weights(self, live: str, standby: str | None) -> dict[str, int]:
        stands_by = {self.project.revision(standby): 0} if standby is not None else {}
        return {self.project.revision(live): 100, **stands_by}
