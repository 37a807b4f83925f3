"""Samples survive a file, and files that are no samples are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.gate.builders import make_samples
from tidegate.gate.samples import ErrorKind, Samples
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit


def test_file_keeps_every_array(tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    samples = make_samples(requests=50, failed=3)
    samples.save(path)
    loaded = Samples.load(path)
    for name in ("intended", "sent", "done", "ok", "arm", "kind", "protocol"):
        assert np.array_equal(getattr(loaded, name), getattr(samples, name))


def test_four_arrays_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    times = np.arange(4.0)
    np.savez(path, intended=times, sent=times, done=times, ok=np.array([True, False, True, True]))
    loaded = Samples.load(path)
    assert loaded.errors_by_kind() == {"unspecified": 1}
    assert loaded.arm.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"done": None}, "no array 'done'"),
        ({"done": np.arange(3.0)}, "samples.done"),
        ({"ok": np.ones(4)}, "samples.ok"),
        ({"intended": np.array([0.0, np.nan, 2.0, 3.0])}, "samples.intended"),
    ],
)
def test_file_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / "samples.npz"
    times = np.arange(4.0)
    arrays = {"intended": times, "sent": times, "done": times, "ok": np.ones(4, np.bool_)} | change
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(SpecError) as refused:
        Samples.load(path)
    assert said in str(refused.value)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    path.write_text("not an archive")
    with pytest.raises(SpecError, match="samples"):
        Samples.load(path)


def test_labels_are_those_of_the_verdict() -> None:
    assert ErrorKind.EMPTY_TENSOR.label == "emptyTensor"
    assert ErrorKind.WRONG_VALUE.answered and not ErrorKind.DEADLINE.answered
