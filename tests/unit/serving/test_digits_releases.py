"""The published releases of digits: their files, their quality, and that nothing is skewed."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format
from numpy.typing import NDArray
from tritonclient.grpc import model_config_pb2

from tests.unit.serving.triton_stand_in import ServedModel
from tidegate.spec.golden import GoldenData
from tidegate.spec.release import Release, Tolerance, load_release
from tidegate.spec.triton_config import config_pbtxt

pytestmark = pytest.mark.unit

# Another processor's linear algebra ends its training a little elsewhere.
RETRAINED = Tolerance(absolute=1e-3, relative=0)


def test_files_are_those_of_the_manifest(release: Release, serving_root: Path) -> None:
    release.verify(serving_root)


def test_configuration_says_what_the_manifest_says(release: Release, model_folder: Path) -> None:
    published = text_format.Parse(
        (model_folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig()
    )
    expected = text_format.Parse(
        config_pbtxt(release.model, release.settings), model_config_pb2.ModelConfig()
    )
    assert published == expected


def test_both_are_decent_and_the_second_is_better(serving_root: Path) -> None:
    first, second = (
        load_release(serving_root, "digits", name).lineage.held_out.metrics["accuracy"]
        for name in ("1", "2")
    )
    assert 0.90 < first < first + 0.03 < second


def test_golden_set_holds_raw_images_and_clear_answers(golden: GoldenData) -> None:
    assert golden.count == 200
    assert golden.inputs["image"].dtype == np.int64
    assert set(golden.truth) == set(range(10))
    # A tie would turn into another label by rounding alone.
    best, second = np.sort(golden.outputs["probabilities"], axis=1)[:, :-3:-1].T
    assert (best - second).min() > 1e-3


def test_exported_graph_answers_raw_images_as_the_pipeline_did(
    release: Release, golden: GoldenData, model_folder: Path
) -> None:
    session = onnxruntime.InferenceSession(
        str(model_folder / release.model.version / "model.onnx"),
        providers=["CPUExecutionProvider"],
    )
    label, probabilities = session.run(["label", "probabilities"], dict(golden.inputs))
    np.testing.assert_array_equal(label, golden.outputs["label"])
    assert_agree(probabilities, golden.outputs["probabilities"], release.golden.tolerance)


def test_served_model_answers_raw_images_as_the_pipeline_trained_again(
    release: Release, training: ModuleType, model_folder: Path
) -> None:
    rest, held_out = training.split(training.load(), training.HELD_OUT)
    pipeline = training.train(training.RECIPES[release.release], rest)
    expected = training.predict(pipeline, held_out.images)
    answers = ServedModel(model_folder, release.model.version).infer(image=held_out.images)
    assert_agree(answers["probabilities"], expected["probabilities"], RETRAINED)
    assert np.mean(answers["label"] == expected["label"]) > 0.995
    measured = release.lineage.held_out.metrics["accuracy"]
    assert np.mean(answers["label"] == held_out.labels) == pytest.approx(measured, abs=1e-4)


def test_answers_do_not_depend_on_the_batch(
    release: Release, golden: GoldenData, model_folder: Path
) -> None:
    model = ServedModel(model_folder, release.model.version)
    together = model.infer(image=golden.inputs["image"])["probabilities"]
    alone = np.concatenate(
        [
            model.infer(image=golden.inputs["image"][i : i + 1])["probabilities"]
            for i in range(golden.count)
        ]
    )
    assert_agree(alone, together, release.golden.tolerance)


def assert_agree(actual: NDArray[Any], expected: NDArray[Any], tolerance: Tolerance) -> None:
    np.testing.assert_allclose(actual, expected, atol=tolerance.absolute, rtol=tolerance.relative)
