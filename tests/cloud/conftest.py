"""Projects whose clouds are folders; each ends with its test module or its test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cloud.harness.api_server import ApiServer, empty_api_server
from tests.cloud.harness.project import CloudProject


@pytest.fixture(scope="session")
def sdk_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was found out about the SDKs; finding it out takes seconds."""
    return tmp_path_factory.getbasetemp() / "sdk-shapes"


@pytest.fixture(scope="module")
def make_cloud(
    tmp_path_factory: pytest.TempPathFactory, sdk_cache: Path
) -> Iterator[Callable[..., CloudProject]]:
    """Makes projects, each in a folder of its own: `make_cloud(stack="aws-staging")`."""
    made: list[CloudProject] = []

    def make(*, stack: str = "test", program: str | None = None) -> CloudProject:
        root = tmp_path_factory.mktemp("cloud") / "p"
        project = CloudProject(root, sdk_cache, stack=stack, program=program)
        made.append(project)
        return project

    yield make
    for project in made:
        project.remove()


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """What clusters of a project are reached at, see `serve_clusters_of`."""
    with empty_api_server(tmp_path_factory.mktemp("api-server")) as server:
        yield server


@pytest.fixture
def cloud(make_cloud: Callable[..., CloudProject]) -> CloudProject:
    """A project with a program of the test's own; see `CloudProject.write_program`."""
    return make_cloud(program="")
