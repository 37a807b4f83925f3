from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidegate.spec.errors import SpecError
from tidegate.spec.golden import GoldenData, load_golden, save_golden
from tidegate.spec.release import ModelSignature

pytestmark = pytest.mark.unit


@pytest.fixture
def arrays(golden: GoldenData) -> dict[str, Any]:
    return {
        "input:x": golden.inputs["x"],
        "output:y": golden.outputs["y"],
        "truth": golden.truth,
    }


def refusal(tmp_path: Path, signature: ModelSignature, arrays: dict[str, Any]) -> SpecError:
    path = tmp_path / "set.npz"
    np.savez(path, **arrays)
    with pytest.raises(SpecError) as caught:
        load_golden(path, signature)
    return caught.value


def test_round_trip(tmp_path: Path, signature: ModelSignature, golden: GoldenData) -> None:
    save_golden(tmp_path / "set.npz", golden)
    loaded = load_golden(tmp_path / "set.npz", signature)
    assert loaded.count == 3
    np.testing.assert_array_equal(loaded.inputs["x"], golden.inputs["x"])
    np.testing.assert_array_equal(loaded.outputs["y"], golden.outputs["y"])
    np.testing.assert_array_equal(loaded.truth, golden.truth)


def test_equal_arrays_give_equal_bytes(tmp_path: Path, golden: GoldenData) -> None:
    for name in ("one.npz", "two.npz"):
        save_golden(tmp_path / name, golden)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_missing_file(tmp_path: Path, signature: ModelSignature) -> None:
    with pytest.raises(SpecError, match="no such file"):
        load_golden(tmp_path / "set.npz", signature)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04broken"])
def test_file_that_is_no_archive(tmp_path: Path, signature: ModelSignature, content: bytes) -> None:
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(SpecError, match="readable"):
        load_golden(tmp_path / "set.npz", signature)


def test_a_single_array_is_no_golden_set(
    tmp_path: Path, signature: ModelSignature, golden: GoldenData
) -> None:
    with (tmp_path / "set.npz").open("wb") as file:
        np.save(file, golden.truth)
    with pytest.raises(SpecError, match="readable"):
        load_golden(tmp_path / "set.npz", signature)


def test_pickled_objects_are_not_loaded(
    tmp_path: Path, signature: ModelSignature, arrays: dict[str, Any]
) -> None:
    objects = np.array([{}, {}, {}], dtype=object)
    assert "pickled" in refusal(tmp_path, signature, arrays | {"truth": objects}).why


def test_missing_and_extra_arrays_are_named(
    tmp_path: Path, signature: ModelSignature, arrays: dict[str, Any]
) -> None:
    arrays["output:z"] = arrays.pop("output:y")
    error = refusal(tmp_path, signature, arrays)
    assert "missing ['output:y'], not asked for ['output:z']" in error.why


def test_wrong_dtype(tmp_path: Path, signature: ModelSignature, arrays: dict[str, Any]) -> None:
    error = refusal(tmp_path, signature, arrays | {"output:y": arrays["output:y"].astype("f8")})
    assert error.value == "float64"
    assert "FP32" in error.why


@pytest.mark.parametrize("shape", [(6,), (3, 2, 1), (2, 3)])
def test_wrong_shape(
    tmp_path: Path, signature: ModelSignature, arrays: dict[str, Any], shape: tuple[int, ...]
) -> None:
    error = refusal(tmp_path, signature, arrays | {"input:x": arrays["input:x"].reshape(shape)})
    assert error.value == shape


def test_empty_set(tmp_path: Path, signature: ModelSignature, arrays: dict[str, Any]) -> None:
    empty = {name: values[:0] for name, values in arrays.items()}
    assert "at least one example" in refusal(tmp_path, signature, empty).instead


def test_nan(tmp_path: Path, signature: ModelSignature, arrays: dict[str, Any]) -> None:
    arrays["output:y"][1] = np.nan
    error = refusal(tmp_path, signature, arrays)
    assert error.field.endswith("output:y")
    assert "NaN" in error.why


def test_input_a_server_would_refuse(
    tmp_path: Path, signature: ModelSignature, arrays: dict[str, Any]
) -> None:
    arrays["input:x"][0, 0] = 10
    assert "bound 9" in refusal(tmp_path, signature, arrays).why


def test_arrays_of_different_length(
    tmp_path: Path, signature: ModelSignature, arrays: dict[str, Any]
) -> None:
    error = refusal(tmp_path, signature, arrays | {"truth": arrays["truth"][:2]})
    assert "equal length" in error.instead
