"""What the served model refuses, and that it says why."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.serving.triton_stand_in import ServedModel, TritonError
from tidegate.spec.release import Release

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def model(release: Release, model_folder: Path) -> ServedModel:
    return ServedModel(model_folder, release.model.version)


def images(count: int = 1, value: int = 0) -> NDArray[np.int64]:
    return np.full((count, 8, 8), value, dtype=np.int64)


@pytest.mark.parametrize("value", [0, 16])
def test_both_ends_of_the_value_range_are_answered(model: ServedModel, value: int) -> None:
    answers = model.infer(image=images(3, value))
    assert answers["label"].shape == (3,)
    assert answers["label"].dtype == np.int64
    assert answers["probabilities"].shape == (3, 10)
    assert answers["probabilities"].dtype == np.float32
    np.testing.assert_allclose(answers["probabilities"].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (images(2, 17), "largest value is 17, send 16 or less"),
        (images(1, 261), "largest value is 261, send 16 or less"),
        (images(1, -1), "smallest value is -1, send 0 or more"),
        (images(0), r"shape is \[0, 8, 8\], send \[-1, 8, 8\]"),
        (images().reshape(1, 64), r"shape is \[1, 64\]"),
        (np.zeros((1, 8, 9), dtype=np.int64), r"shape is \[1, 8, 9\]"),
        (images().astype(np.float32), "datatype is float32, send int64"),
    ],
)
def test_violation_is_an_invalid_argument_with_its_reason(
    model: ServedModel, image: NDArray[Any], reason: str
) -> None:
    with pytest.raises(TritonError, match=reason) as caught:
        model.infer(image=image)
    assert caught.value.code == TritonError.INVALID_ARG
    assert "'image'" in str(caught.value)


def test_one_wrong_pixel_of_one_image_refuses_the_request(model: ServedModel) -> None:
    batch = images(4)
    batch[3, 7, 7] = 17
    with pytest.raises(TritonError, match="17"):
        model.infer(image=batch)


def test_next_request_after_a_refusal_is_answered(model: ServedModel) -> None:
    with pytest.raises(TritonError):
        model.infer(image=images(1, 17))
    assert model.infer(image=images())["label"].shape == (1,)
