"""Several stacks on one machine."""

from collections.abc import Callable

import httpx
import pytest

from tests.engine.harness.processes import listening
from tests.engine.harness.project import Project

pytestmark = pytest.mark.engine


def test_stacks_that_start_at_the_same_moment_get_gateways_of_their_own(
    make_project: Callable[[], Project],
) -> None:
    projects = [make_project() for _ in range(3)]
    updates = [project.start_up() for project in projects]
    runs = [update.wait() for update in updates]
    assert [run.output for run in runs if not run.succeeded] == []
    for project in projects:
        record = project.local.gateway.record()
        assert record is not None
        assert listening({project.pid("gateway")}) == {record.port, record.admin_port}
        answer = httpx.get(f"http://{project.gateway}/healthz", trust_env=False)
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert len({project.gateway for project in projects}) == len(projects)
