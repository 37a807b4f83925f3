from pathlib import Path

import numpy as np
import pytest

from tidegate.spec.digests import digest_bytes
from tidegate.spec.golden import GoldenData, save_golden
from tidegate.spec.release import ModelSignature, Release, TensorSpec

DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def signature() -> ModelSignature:
    return ModelSignature(
        name="sums",
        version="1",
        inputs=(TensorSpec(name="x", datatype="UINT8", shape=(-1, 2), minimum=0, maximum=9),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=(-1,)),),
    )


@pytest.fixture
def golden() -> GoldenData:
    inputs = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.uint8)
    return GoldenData(
        inputs={"x": inputs},
        outputs={"y": inputs.sum(axis=1).astype(np.float32)},
        truth=np.array([3, 7, 11]),
    )


@pytest.fixture
def files(golden: GoldenData, tmp_path: Path) -> dict[str, bytes]:
    """A release's files by path below the serving root."""
    scratch = tmp_path / "golden.npz"
    save_golden(scratch, golden)
    return {
        "models/sums/1/sums/config.pbtxt": b'name: "sums"',
        "models/sums/1/sums/1/model.onnx": b"weights",
        "golden/sums/1.npz": scratch.read_bytes(),
    }


@pytest.fixture
def release(signature: ModelSignature, files: dict[str, bytes]) -> Release:
    return Release.model_validate(
        {
            "apiVersion": "tidegate/v1",
            "service": "sums",
            "release": "1",
            "description": "Adds two numbers",
            "lineage": {
                "dataset": {"name": "d", "digest": DIGEST, "digestOf": "rows", "samples": 3},
                "code": {"training/sums.py": DIGEST},
                "seed": 1,
                "arguments": {"rate": 0.5},
                "libraries": {"numpy": "1.26.4"},
                "heldOut": {"samples": 3, "digest": DIGEST, "metrics": {"accuracy": 1.0}},
            },
            "models": [signature.model_dump()],
            "settings": {"instances": 1, "intraOpThreads": 1, "maxBatchSize": 0},
            "repository": {
                "path": "models/sums/1",
                "files": {
                    name: digest_bytes(files[f"models/sums/1/{name}"])
                    for name in ("sums/config.pbtxt", "sums/1/model.onnx")
                },
            },
            "golden": {
                "path": "golden/sums/1.npz",
                "sha256": digest_bytes(files["golden/sums/1.npz"]),
                "tolerance": {"absolute": 0, "relative": 0},
            },
            "servers": {"local": {"distribution": "server", "version": "1", "sha256": DIGEST}},
        }
    )


@pytest.fixture
def serving_root(tmp_path: Path) -> Path:
    return tmp_path / "serving"
