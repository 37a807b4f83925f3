"""Whether a release's models are warm when their server says that it is ready."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tidegate.spec.release import Release

CONFIG = "config.pbtxt"
_NOT_CODE = re.compile(r"#[^\n]*|\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*'")
_WARM_UP = re.compile(r"\bmodel_warmup\s*[:{[]")
_ENSEMBLE = re.compile(r"\bensemble_scheduling\s*[:{]")


def warm_up_notes(release: Release, serving_root: Path) -> list[str]:
    """A sentence or two for each model whose first users would meet its slow first inferences.

    No rule: only the model's owner knows whether an example can warm it. Files that are not below
    `serving_root` are passed over.
    """
    return [
        f"{release.service}@{release.release}: the model {model} has no model_warmup in its "
        f"{CONFIG}. Triton calls it ready before its first inferences, which are slow, so users "
        "meet these wherever a pod starts, and a gate counts them. Instead: publish a release "
        "whose configuration has model_warmup with one example of each input; leave it where no "
        "example can stand for a request, as in a model that keeps state."
        for model in _without_warm_up(release, serving_root)
    ]


def _without_warm_up(release: Release, serving_root: Path) -> Iterator[str]:
    for name in sorted(release.repository.files):
        model, _, file = name.partition("/")
        path = serving_root / PurePosixPath(release.repository.path) / name
        if file != CONFIG or not path.is_file():
            continue
        fields = _NOT_CODE.sub("", path.read_text(encoding="utf-8", errors="replace"))
        # Triton refuses model_warmup in an ensemble; the models that it is made of have their own.
        if not _WARM_UP.search(fields) and not _ENSEMBLE.search(fields):
            yield model
