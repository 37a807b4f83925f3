"""The training script as its user runs it."""

from pathlib import Path
from types import ModuleType

import pytest

from tidegate.spec.release import load_release, manifest_path

pytestmark = pytest.mark.unit


def test_publishes_a_whole_release_and_finds_it_unchanged(
    training: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--release", "1", "--serving-root", str(tmp_path)]
    assert training.main(arguments) == 0
    load_release(tmp_path, "digits", "1").verify(tmp_path)
    capsys.readouterr()
    assert training.main([*arguments, "--check"]) == 0
    assert "the same bytes" in capsys.readouterr().out


def test_published_release_is_not_overwritten(
    training: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = manifest_path(tmp_path, "digits", "1")
    manifest.parent.mkdir(parents=True)
    manifest.write_text("published")
    assert training.main(["--release", "1", "--serving-root", str(tmp_path)]) == 1
    assert "next number" in capsys.readouterr().err
    assert manifest.read_text() == "published"


def test_check_names_what_differs(
    training: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert training.main(["--release", "1", "--serving-root", str(tmp_path), "--check"]) == 1
    assert "model.onnx is missing" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
