"""The digits classifier: data, recipes, training, and the pipeline as one ONNX graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tidegate.spec.digests import digest_bytes

SEED = 20251122
PIXEL_MAXIMUM = 16
OPSET = 17


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What one release trains: a classifier and its arguments, on some of the training split.

    `shifted_copies` adds each image moved by one pixel in the four directions.
    """

    description: str
    classifier: type[Any]
    arguments: dict[str, Any]
    training_samples: int
    shifted_copies: bool


RECIPES = {
    "1": Recipe(
        description="Multinomial logistic regression, 250 images",
        classifier=LogisticRegression,
        arguments={"C": 1.0, "max_iter": 1000},
        training_samples=250,
        shifted_copies=False,
    ),
    "2": Recipe(
        description="Neural network, one hidden layer, 1257 images and their shifted copies",
        classifier=MLPClassifier,
        arguments={"hidden_layer_sizes": [256], "alpha": 0.01, "tol": 0.001, "max_iter": 400},
        training_samples=1257,
        shifted_copies=True,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Digits:
    """`images`: INT64 (n, 8, 8), values 0 to 16. `labels`: INT64 (n,), values 0 to 9."""

    images: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def digest(self) -> str:
        """SHA-256 over the images as little-endian int64 in row order, then the labels as int64."""
        return digest_bytes(
            self.images.astype("<i4").tobytes() + self.labels.astype("<i8").tobytes()
        )

    def part(self, indices: NDArray[np.int64]) -> "Digits":
        return Digits(images=self.images[indices], labels=self.labels[indices])


def load() -> Digits:
    bundled = load_digits()
    return Digits(
        images=np.ascontiguousarray(bundled.images.astype(np.int64)),
        labels=bundled.target.astype(np.int64),
    )


def split(digits: Digits, size: int) -> tuple[Digits, Digits]:
    """Split off `size` examples with the same share of every label: (rest, split off)."""
    rest, chosen = train_test_split(
        np.arange(len(digits.labels)), test_size=size, random_state=SEED, stratify=digits.labels
    )
    return digits.part(rest), digits.part(chosen)


def to_features(images: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pixels scaled to 0..1, one row of 64 per image. `preprocessing_graph` says it in ONNX."""
    return images.reshape(len(images), -1) / PIXEL_MAXIMUM


def with_shifted_copies(digits: Digits) -> Digits:
    """Five times as many examples: the images themselves, then each moved by one pixel."""
    padded = np.pad(digits.images, ((0, 0), (1, 1), (1, 1)))
    moves = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    images = [padded[:, top : top + 8, left : left + 8] for top, left in moves]
    return Digits(images=np.concatenate(images), labels=np.tile(digits.labels, len(moves)))


def train(recipe: Recipe, training: Digits) -> Pipeline:
    """Fit on the first `training_samples` of `training`, which is in random order."""
    classifier = recipe.classifier(random_state=SEED, **recipe.arguments)
    pipeline = Pipeline([("pixels", FunctionTransformer(to_features)), ("classifier", classifier)])
    chosen = training.part(np.arange(recipe.training_samples))
    if recipe.shifted_copies:
        chosen = with_shifted_copies(chosen)
    # More threads would sum in another order and give other bytes.
    with threadpool_limits(limits=1):
        return pipeline.fit(chosen.images, chosen.labels)


def predict(pipeline: Pipeline, images: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """What the server must answer: `label` INT64 (n,) and `probabilities` FP32 (n, 10)."""
    return {
        "label": pipeline.predict(images).astype(np.int64),
        "probabilities": pipeline.predict_proba(images).astype(np.float32),
    }


def preprocessing_graph(
    opset: Sequence[onnx.OperatorSetIdProto], ir_version: int
) -> onnx.ModelProto:
    """`to_features` in ONNX: `image` INT64 (n, 8, 8) → `features` FP32 (n, 64)."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["pixels"], ["rows"], axis=1),
            helper.make_node("Div", ["rows", "pixel_maximum"], ["features"]),
        ],
        "preprocessing",
        [helper.make_tensor_value_info("image", TensorProto.INT64, ["n", 8, 8])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor("pixel_maximum", TensorProto.FLOAT, [], [PIXEL_MAXIMUM])],
    )
    return helper.make_model(graph, opset_imports=opset, ir_version=ir_version)


def export(pipeline: Pipeline) -> bytes:
    """The whole pipeline as ONNX, raw images in: serving has no preprocessing of its own."""
    classifier = to_onnx(
        pipeline.named_steps["classifier"],
        initial_types=[("classifier_features", FloatTensorType([None, 64]))],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    preprocessing = preprocessing_graph(classifier.opset_import, classifier.ir_version)
    merged = compose.merge_models(
        preprocessing, classifier, io_map=[("features", "classifier_features")]
    )
    onnx.checker.check_model(merged, full_check=True)
    return merged.SerializeToString(deterministic=True)
