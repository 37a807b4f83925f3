"""Stacks for the engine tests: one that many tests share, and new ones where a test needs it."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from tests.engine.harness.gateway_stage import Stage, stage_in
from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import Project


@pytest.fixture(scope="session")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Project]]:
    """Makes projects that are taken down at the end, each in a folder of its own."""
    made: list[Project] = []

    def make() -> Project:
        project = Project(tmp_path_factory.mktemp("stack") / "p")
        made.append(project)
        return project

    yield make
    with ThreadPoolExecutor() as pool:
        list(pool.map(Project.remove, made))


@pytest.fixture(scope="session")
def shared(make_project: Callable[[], Project]) -> Project:
    """The stack that tests share. Each declares what it needs and calls `settle`."""
    return make_project()


@pytest.fixture
def project(shared: Project) -> Project:
    """The shared stack with digits@1 live and nothing beside it."""
    shared.declare_digits("1")
    shared.settle()
    return shared


@pytest.fixture
def load_on(tmp_path: Path) -> Callable[[Project], BackgroundLoad]:
    """Makes constant loads on a project's gateway: enough to meet an answer that goes missing."""
    return _loads(tmp_path, 30)


@pytest.fixture
def full_load_on(tmp_path: Path) -> Callable[[Project], BackgroundLoad]:
    """The same at the rate that switches promise to bear, which costs half a processor."""
    return _loads(tmp_path, 220)


def _loads(folder: Path, rate_per_second: float) -> Callable[[Project], BackgroundLoad]:
    numbers = count()

    def make(project: Project) -> BackgroundLoad:
        result = folder / f"load-{next(numbers)}.json"
        return BackgroundLoad(
            project.gateway, project.serving_root, result, rate_per_second=rate_per_second
        )

    return make


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A real Envoy in front of two small servers, without the engine."""
    async with stage_in(tmp_path / "gateway") as made:
        yield made
