from pathlib import Path

import pytest

from tests.unit.components.examples import SERVING, revision
from tidegate.spec.digests import digest_bytes
from tidegate.spec.release import Release
from tidegate.spec.warm_up import warm_up_notes

pytestmark = pytest.mark.unit

PLAIN = 'name: "words"\nbackend: "python"\n'


def released(root: Path, **configs: str) -> Release:
    """A release with a model of each name; those without text are not below the root."""
    release = revision("1").release
    files = {f"{name}/config.pbtxt": digest_bytes(b"") for name in configs}
    for name, text in configs.items():
        if text:
            folder = root / release.repository.path / name
            folder.mkdir(parents=True)
            (folder / "config.pbtxt").write_text(text)
    repository = release.repository.model_copy(update={"files": files})
    return release.model_copy(update={"repository": repository})


@pytest.mark.parametrize(
    "text",
    [
        "model_warmup {\n}",
        "model_warmup [\n{}]",
        'max_batch_size: 8 model_warmup: [{name: "a"}]',
        "ensemble_scheduling {\n}",
        "",
    ],
)
def test_a_model_that_is_warmed_needs_no_note(tmp_path: Path, text: str) -> None:
    assert warm_up_notes(released(tmp_path, words=text and PLAIN + text), tmp_path) == []


@pytest.mark.parametrize(
    "text", ["", "# model_warmup {}", 'parameters { key: "model_warmup {" }', "my_model_warmup {}"]
)
def test_a_model_without_warm_up_is_named_with_why_and_what_to_write(
    tmp_path: Path, text: str
) -> None:
    release = released(tmp_path, words=PLAIN + text, letters="model_warmup {}")
    (note,) = warm_up_notes(release, tmp_path)

    assert note.startswith("digits@1: the model words has no model_warmup in its config.pbtxt. ")
    assert "ready before its first inferences" in note
    assert "Instead: publish a release" in note


@pytest.mark.parametrize("name", ["1", "2"])
def test_the_releases_here_are_warmed(name: str) -> None:
    assert warm_up_notes(revision(name).release, SERVING) == []
