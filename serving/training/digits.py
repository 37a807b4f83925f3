"""Train a release of the digits service: model, Triton repository, golden set, manifest.

Data: the handwritten digits bundled with scikit-learn, 1797 images of 8x8 pixels valued 0 to 16.
The same release and the same library versions on the same kind of processor give the same bytes.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
from sklearn.metrics import accuracy_score, log_loss
from sklearn.pipeline import Pipeline

from digits_classifier import (
    PIXEL_MAXIMUM,
    RECIPES,
    SEED,
    Digits,
    Recipe,
    export,
    load,
    predict,
    split,
    train,
)
from tidegate.spec.digests import digest_bytes, digest_file
from tidegate.spec.errors import SpecError
from tidegate.spec.golden import GoldenData, save_golden
from tidegate.spec.publishing import differences, publish, refuse_published
from tidegate.spec.release import (
    Dataset,
    Evaluation,
    GoldenSet,
    Lineage,
    ModelSignature,
    Release,
    Repository,
    ServerVariant,
    ServingSettings,
    TensorSpec,
    Tolerance,
)
from tidegate.spec.triton_config import config_pbtxt

SERVING_ROOT = Path(__file__).resolve().parent.parent
SERVICE = "digits"
HELD_OUT = 540
GOLDEN_IMAGES = 200
# The exported graph computes in float32: measured, it differs from the float64 pipeline by less
# than a tenth of this.
TOLERANCE = Tolerance(absolute=1e-5, relative=1e-4)
SETTINGS = ServingSettings(instances=1, intra_op_threads=1, max_batch_size=0)


def signature(release: str) -> ModelSignature:
    # Not UINT8: Triton reads JSON integers modulo the datatype's range, 261 would pass as 5.
    image = TensorSpec(
        name="image", datatype="INT64", shape=(-1, 8, 8), minimum=0, maximum=PIXEL_MAXIMUM
    )
    label = TensorSpec(name="label", datatype="INT64", shape=(-1,))
    probabilities = TensorSpec(name="probabilities", datatype="FP32", shape=(-1, 10))
    return ModelSignature(
        name=SERVICE, version=release, inputs=(image,), outputs=(label, probabilities)
    )


def golden_bytes(pipeline: Pipeline, held_out: Digits) -> bytes:
    """Expected answers come from the pipeline itself, so that a skew of export or server shows."""
    chosen = held_out.part(np.arange(GOLDEN_IMAGES))
    golden = GoldenData(
        inputs={"image": chosen.images},
        outputs=predict(pipeline, chosen.images),
        truth=chosen.labels,
    )
    buffer = io.BytesIO()
    save_golden(buffer, golden)
    return buffer.getvalue()


def lineage(recipe: Recipe, digits: Digits, held_out: Digits, pipeline: Pipeline) -> Lineage:
    answers = predict(pipeline, held_out.images)
    code = sorted(Path(__file__).parent.glob("*.py"))
    libraries = ("numpy", "onnx", "scikit-learn", "scipy", "skl2onnx")
    return Lineage(
        dataset=Dataset(
            name="scikit-learn load_digits",
            digest=digits.digest,
            digest_of="images as little-endian int64 in row order, then labels as int64",
            samples=len(digits.labels),
        ),
        code={path.relative_to(SERVING_ROOT).as_posix(): digest_file(path) for path in code},
        seed=SEED,
        arguments={
            "classifier": recipe.classifier.__name__,
            "trainingSamples": recipe.training_samples,
            "shiftedCopies": recipe.shifted_copies,
            **recipe.arguments,
        },
        libraries={name: metadata.version(name) for name in libraries},
        held_out=Evaluation(
            samples=len(held_out.labels),
            digest=held_out.digest,
            metrics={
                "accuracy": round(accuracy_score(held_out.labels, answers["label"]), 4),
                "logLoss": round(log_loss(held_out.labels, answers["probabilities"]), 4),
            },
        ),
    )


def local_server() -> ServerVariant:
    """The Triton that the installed nvidia-pytriton carries."""
    distribution = metadata.distribution("nvidia-pytriton")
    program = Path(str(distribution.locate_file("pytriton/tritonserver/bin/tritonserver")))
    return ServerVariant(
        distribution="nvidia-pytriton",
        version=distribution.version,
        sha256=digest_file(program),
    )


def build(release: str) -> tuple[Release, dict[str, bytes]]:
    """Train `release`: its manifest and its files (path below the serving root → content)."""
    recipe = RECIPES[release]
    digits = load()
    training, held_out = split(digits, HELD_OUT)
    pipeline = train(recipe, training)
    model = signature(release)
    repository = {
        f"{SERVICE}/config.pbtxt": config_pbtxt(model, SETTINGS).encode(),
        f"{SERVICE}/{release}/model.onnx": export(pipeline),
        f"{SERVICE}/{release}/model.py": Path(__file__).with_name("triton_model.py").read_bytes(),
    }
    repository_path = f"models/{SERVICE}/{release}"
    golden_path = f"golden/{SERVICE}/{release}.npz"
    golden = golden_bytes(pipeline, held_out)
    manifest = Release(
        api_version="tidegate/v1",
        service=SERVICE,
        release=release,
        description=recipe.description,
        lineage=lineage(recipe, digits, held_out, pipeline),
        models=(model,),
        settings=SETTINGS,
        repository=Repository(
            path=repository_path,
            files={name: digest_bytes(content) for name, content in repository.items()},
        ),
        golden=GoldenSet(path=golden_path, sha256=digest_bytes(golden), tolerance=TOLERANCE),
        servers={"local": local_server()},
    )
    files = {f"{repository_path}/{name}": content for name, content in repository.items()}
    return manifest, files | {golden_path: golden}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--release", choices=RECIPES, required=True, help="the release to train")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit 1 when the release as it stands has other bytes",
    )
    parser.add_argument(
        "--serving-root", type=Path, default=SERVING_ROOT, help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    try:
        return check(options) if options.check else train_and_publish(options)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 1


def check(options: argparse.Namespace) -> int:
    release, files = build(options.release)
    found = differences(options.serving_root, release, files)
    print("\n".join(found) or f"{SERVICE}@{options.release}: the same bytes as published")
    return 1 if found else 0


def train_and_publish(options: argparse.Namespace) -> int:
    refuse_published(options.serving_root, SERVICE, options.release)
    release, files = build(options.release)
    publish(options.serving_root, release, files)
    accuracy = release.lineage.held_out.metrics["accuracy"]
    print(f"{SERVICE}@{options.release}: accuracy {accuracy:.4f} on {HELD_OUT} held-out images")
    return 0


if __name__ == "__main__":
    sys.exit(main())
