"""docs/models.md says what the code does."""

import re
from pathlib import Path

import numpy as np
import pytest

from tidegate.spec.golden import load_golden
from tidegate.spec.release import Release, load_release
from tidegate.spec.signature import SpecModel

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def guide() -> str:
    return (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_its_program_publishes_a_release(
    guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    training = tmp_path / "serving" / "training"
    training.mkdir(parents=True)
    model = (ROOT / "serving" / "training" / "triton_model.py").read_bytes()
    (training / "triton_model.py").write_bytes(model)
    Path("prices.onnx").write_bytes(b"a model")
    Path("listings.parquet").write_bytes(b"data")
    rows = np.ones((3, 8), np.float32)
    np.savez("expected.npz", features=rows, price=rows[:, :1], truth=rows[:, 0])

    exec(compile(program, "docs/models.md", "exec"), {})  # noqa: S102  # it is the guide's own

    release = load_release(tmp_path / "serving", "prices", "1")
    release.verify(tmp_path / "serving")
    golden = load_golden(tmp_path / "serving" / release.golden.path, release.model)
    assert golden.count == 3


def test_it_names_every_key_of_a_manifest(guide: str) -> None:
    (table,) = re.findall(r"## Keys of a manifest\n(.*?)\n## ", guide, re.DOTALL)
    assert {key for key in keys(Release) if not re.search(rf"\b{key}\b", table)} == set()


def keys(model: type[SpecModel]) -> set[str]:
    return {str(each.alias) for each in model.model_fields.values()}
