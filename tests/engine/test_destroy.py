"""The end of a stack."""

from collections.abc import Callable

import pytest

from tests.engine.harness.processes import listened_ports, listening, processes_of
from tests.engine.harness.project import Project
from tests.engine.harness.waiting import wait_for

pytestmark = pytest.mark.engine


def test_destroy_leaves_only_evidence_and_the_stack_file(
    make_project: Callable[[], Project],
) -> None:
    project = make_project()
    project.declare_digits("1", standby="2")
    stack_file = project.stack_file.read_bytes()
    project.up()
    ports = listening({process.pid for process in processes_of(project.root)})
    assert len(ports) == 2 + 2 * 3  # gateway and admin; HTTP, gRPC and metrics of each Triton
    evidence = project.outputs()["services"]["digits"]["evidence"]
    attempts = project.attempts()

    project.destroy()
    # What was stopped needs a moment to be gone.
    wait_for("the end of all processes", lambda: not processes_of(project.root))
    assert listened_ports(ports) == set()
    assert project.resources() == []
    assert not project.local.folder.socket.exists()
    assert project.attempts() == attempts
    assert (project.root / evidence).is_file()

    project.stack_rm()
    assert project.stack_file.read_bytes() == stack_file
