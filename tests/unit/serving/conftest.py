"""The training scripts and the served model are programs, not packages: load them by path."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tidegate.spec.golden import GoldenData, load_golden
from tidegate.spec.release import Release, load_release

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def serving_root() -> Path:
    return REPOSITORY / "serving"


@pytest.fixture(scope="module", params=["1", "2"])
def release(request: pytest.FixtureRequest, serving_root: Path) -> Release:
    return load_release(serving_root, "digits", request.param)


@pytest.fixture
def golden(release: Release, serving_root: Path) -> GoldenData:
    return load_golden(serving_root / release.golden.path, release.model)


@pytest.fixture(scope="module")
def model_folder(release: Release, serving_root: Path) -> Path:
    return serving_root / release.repository.path / release.model.name


@pytest.fixture(scope="module")
def training(serving_root: Path) -> Iterator[ModuleType]:
    """`digits.py`, with its sibling module importable as when it is run as a script."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(serving_root / "training"))
        yield importlib.import_module("digits")
    for name in ("digits", "digits_classifier"):
        sys.modules.pop(name, None)
