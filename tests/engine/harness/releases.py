"""Releases made from good ones: the same lineage, another model.py, digests that fit."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tidegate.spec.digests import digest_bytes
from tidegate.spec.golden import GoldenData, load_golden, save_golden
from tidegate.spec.publishing import publish
from tidegate.spec.release import Release, Repository, load_release
from tidegate.spec.signature import ModelSignature
from tidegate.spec.triton_config import config_pbtxt

SERVICE = "digits"
MODEL_PY = "model.py"
GOLDEN_EXAMPLES = 32


@dataclass(frozen=True)
class Fault:
    """Code at the end of a release's model.py; `_Base` is the good model's class."""

    code: str

    def apply(self, model_py: str) -> str:
        return f"{model_py}\n\n_Base = TritonPythonModel\n\n{self.code}"


WRONG_ANSWERS = Fault(
    """
class TritonPythonModel(_Base):
    def initialize(self, args):
        super().initialize(args)
        right = self._session

        class Shifted:
            def run(self, names, inputs):
                values = right.run(names, inputs)
                return [(v + 1) % 10 if v.dtype.kind == "i" else np.roll(v, 1, -1) for v in values]

        self._session = Shifted()
"""
)

EMPTY_TENSORS = Fault(
    """
class TritonPythonModel(_Base):
    def initialize(self, args):
        super().initialize(args)
        right = self._session

        class Empty:
            def run(self, names, inputs):
                return [v[:0] for v in right.run(names, inputs)]

        self._session = Empty()
"""
)

_SLOW = """
import os
import time

class TritonPythonModel(_Base):
    def execute(self, requests):
        if {condition}:
            time.sleep(0.02 * len(requests))
        return super().execute(requests)
"""

# 50 answers a second: under the strict profile's 100 the queue grows past every SLO.
TOO_SLOW = Fault(_SLOW.format(condition=True))


def slow_while_there_is(file: Path) -> Fault:
    """Too slow as long as the file exists: a cause outside the release."""
    return Fault(_SLOW.format(condition=f"os.path.exists({str(file)!r})"))


def worse_while_there_is(broken: Path, slow: Path) -> Fault:
    """Answers with errors, or every tenth time late, while there is the file: no gate foresees it.

    Late by so much that a machine that others load as well does not hide it.
    """
    return Fault(
        f"""
import os
import time

class TritonPythonModel(_Base):
    def initialize(self, args):
        super().initialize(args)
        self._calls = 0

    def execute(self, requests):
        if os.path.exists({str(broken)!r}):
            raise RuntimeError("broken for users")
        self._calls += 1
        if os.path.exists({str(slow)!r}) and self._calls % 10 == 0:
            time.sleep(0.3)
        return super().execute(requests)
"""
    )


HANGS = Fault(
    """
import threading

class TritonPythonModel(_Base):
    def initialize(self, args):
        super().initialize(args)
        self._warm_ups = 16

    def execute(self, requests):
        if self._warm_ups:
            self._warm_ups -= len(requests)
            return super().execute(requests)
        threading.Event().wait()
"""
)

NEVER_READY = Fault(
    """
import threading

class TritonPythonModel(_Base):
    def initialize(self, args):
        threading.Event().wait()
"""
)


def publish_variant(
    serving_root: Path,
    name: str,
    *,
    like: str = "1",
    mutate: Callable[[str], str] | None = None,
    instances: int = 1,
) -> Release:
    """Publish `digits@<name>` with the files of `digits@<like>` and a shorter golden set.

    `name` is a number: it is the model's version as well. `mutate` gets model.py and returns it.
    """
    good = load_release(serving_root, SERVICE, like)
    settings = good.settings.model_copy(update={"instances": instances})
    good = good.model_copy(update={"settings": settings})
    signature = good.model.model_copy(update={"version": name})
    source = serving_root / good.repository.path
    folder = f"models/{SERVICE}/{name}"
    files: dict[str, bytes] = {}
    for path in good.repository.files:
        content = (source / path).read_bytes()
        renamed = path.replace(f"/{good.model.version}/", f"/{name}/")
        if path.endswith("config.pbtxt"):
            content = config_pbtxt(signature, good.settings).encode()
        elif path.endswith(MODEL_PY) and mutate is not None:
            content = mutate(content.decode()).encode()
        files[renamed] = content
    golden_path = f"golden/{SERVICE}/{name}.npz"
    golden = _first_examples(serving_root / good.golden.path, signature)
    release = good.model_copy(
        update={
            "release": name,
            "description": f"A variant of {SERVICE}@{like} for tests",
            "models": (signature, *good.models[1:]),
            "repository": Repository(
                path=folder, files={path: digest_bytes(data) for path, data in files.items()}
            ),
            "golden": good.golden.model_copy(
                update={"path": golden_path, "sha256": digest_bytes(golden)}
            ),
        }
    )
    everything = {f"{folder}/{path}": data for path, data in files.items()}
    publish(serving_root, release, {**everything, golden_path: golden})
    return release


def _first_examples(path: Path, signature: ModelSignature) -> bytes:
    """Bytes of a golden set with few examples: a slow release would take long to answer all."""
    whole = load_golden(path, signature)
    shorter = GoldenData(
        inputs={name: values[:GOLDEN_EXAMPLES] for name, values in whole.inputs.items()},
        outputs={name: values[:GOLDEN_EXAMPLES] for name, values in whole.outputs.items()},
        truth=whole.truth[:GOLDEN_EXAMPLES],
    )
    file = BytesIO()
    save_golden(file, shorter)
    return file.getvalue()
