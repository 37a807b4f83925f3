from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.spec.errors import SpecError
from tidegate.spec.publishing import differences, publish
from tidegate.spec.release import Release, load_release, manifest_path

pytestmark = pytest.mark.unit


@pytest.fixture
def published(serving_root: Path, release: Release, files: dict[str, bytes]) -> Path:
    publish(serving_root, release, files)
    return serving_root


def rewrite(serving_root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = manifest_path(serving_root, "sums", "1")
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def refusal(serving_root: Path, service: str = "sums", release: str = "1") -> SpecError:
    with pytest.raises(SpecError) as caught:
        load_release(serving_root, service, release)
    return caught.value


def test_published_release_loads_verifies_and_keeps_its_digest(
    published: Path, release: Release
) -> None:
    loaded = load_release(published, "sums", "1")
    loaded.verify(published)
    assert loaded == release
    assert loaded.digest == release.digest


def test_digest_ignores_layout_and_sees_content(published: Path, release: Release) -> None:
    rewrite(published, lambda content: None)  # writes the keys sorted
    assert load_release(published, "sums", "1").digest == release.digest
    rewrite(published, lambda content: content.update(description="Other"))
    assert load_release(published, "sums", "1").digest != release.digest


def test_publishing_again_is_refused_and_changes_nothing(
    published: Path, release: Release, files: dict[str, bytes]
) -> None:
    with pytest.raises(SpecError, match="never changes") as caught:
        publish(published, release, dict.fromkeys(files, b""))
    assert "next number" in caught.value.instead
    assert differences(published, release, files) == ()


def test_wrong_files_are_not_published(
    serving_root: Path, release: Release, files: dict[str, bytes]
) -> None:
    with pytest.raises(SpecError, match=r"model\.onnx"):
        publish(serving_root, release, files | {"models/sums/1/sums/1/model.onnx": b"other"})
    assert not manifest_path(serving_root, "sums", "1").exists()
    publish(serving_root, release, files)


def test_differences_name_changed_and_missing_files(
    published: Path, release: Release, files: dict[str, bytes]
) -> None:
    (published / "golden/sums/1.npz").unlink()
    (published / "models/sums/1/sums/config.pbtxt").write_bytes(b"")
    config, golden = differences(published, release, files)
    assert "config.pbtxt is sha256:" in config
    assert "1.npz is missing" in golden


def test_unknown_release_lists_the_known_and_the_nearest(published: Path) -> None:
    error = refusal(published, release="l")
    assert error.field == "release"
    assert "write 'sums@1'" in error.instead
    assert "there are: sums@1" in error.instead


def test_unknown_service_lists_the_known(published: Path) -> None:
    assert "write 'sums'" in refusal(published, service="sum").instead


def test_no_release_at_all_is_said(serving_root: Path) -> None:
    assert "no service yet" in refusal(serving_root).instead


@pytest.mark.parametrize("name", ["../1", "sub/1", "", "."])
def test_a_name_reaches_no_file_outside(published: Path, name: str) -> None:
    (published / "releases" / "1.yaml").write_text("secret: value")
    assert refusal(published, release=name).field == "release"


def test_unknown_key(published: Path) -> None:
    rewrite(published, lambda content: content.update(colour="blue"))
    error = refusal(published)
    assert error.field.endswith("1.yaml: colour")
    assert "unknown" in error.why


def test_missing_key(published: Path) -> None:
    rewrite(published, lambda content: content.pop("golden"))
    assert "add 'golden'" in refusal(published).instead


@pytest.mark.parametrize(
    "digest", ["sha256:ABC", "0" * 64, "sha256:" + "F" * 64, "md5:" + "0" * 64]
)
def test_bad_digest(published: Path, digest: str) -> None:
    rewrite(published, lambda content: content["golden"].update(sha256=digest))
    error = refusal(published)
    assert error.field.endswith("golden.sha256")
    assert "64 lower-case hex digits" in error.instead


@pytest.mark.parametrize("path", ["/etc", "../models", "models/../..", "./models", ""])
def test_path_outside_the_serving_root(published: Path, path: str) -> None:
    rewrite(published, lambda content: content["repository"].update(path=path))
    assert refusal(published).field.endswith("repository.path")


@pytest.mark.parametrize(("key", "value"), [("service", "other"), ("release", "2")])
def test_manifest_that_is_not_what_its_path_says(published: Path, key: str, value: str) -> None:
    rewrite(published, lambda content: content.update({key: value}))
    error = refusal(published)
    assert error.field.endswith(key)
    assert error.value == value


@pytest.mark.parametrize("text", ["a: [", "just text", ""])
def test_manifest_that_is_no_mapping(published: Path, text: str) -> None:
    manifest_path(published, "sums", "1").write_text(text)
    assert "1.yaml" in refusal(published).field


def test_verify_names_every_file_that_differs(published: Path, release: Release) -> None:
    repository = published / "models/sums/1/sums"
    changed = release.repository.files["sums/config.pbtxt"]
    (repository / "config.pbtxt").write_bytes(b"changed")
    (repository / "1/model.onnx").unlink()
    (repository / "1/__pycache__").mkdir()
    (repository / "1/__pycache__/model.pyc").write_bytes(b"")
    (published / "golden/sums/1.npz").write_bytes(b"changed")
    with pytest.raises(SpecError) as caught:
        release.verify(published)
    assert caught.value.field == "sums@1"
    for words in (
        "sums/1/model.onnx is missing",
        "sums/1/__pycache__/model.pyc is not in the manifest",
        f"expected {changed}",
        f"expected {release.golden.sha256}",
    ):
        assert words in caught.value.why


def test_verify_misses_a_lost_golden_set(published: Path, release: Release) -> None:
    (published / "golden/sums/1.npz").unlink()
    with pytest.raises(SpecError, match=r"golden/sums/1\.npz is missing"):
        release.verify(published)


def test_copy_holds_the_manifest_s_files_only(
    published: Path, release: Release, tmp_path: Path
) -> None:
    destination = tmp_path / "slots" / "copy"
    release.copy_repository(published, destination)
    copied = {path.relative_to(destination).as_posix() for path in destination.rglob("*.*")}
    assert copied == set(release.repository.files)
    assert [path.name for path in destination.parent.iterdir()] == ["copy"]


def test_copy_of_wrong_bytes_leaves_nothing(
    published: Path, release: Release, tmp_path: Path
) -> None:
    (published / "models/sums/1/sums/1/model.onnx").write_bytes(b"changed")
    with pytest.raises(SpecError, match=r"model\.onnx"):
        release.copy_repository(published, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_copy_replaces_nothing(published: Path, release: Release, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(FileExistsError):
        release.copy_repository(published, tmp_path / "copy")


def test_interrupted_copy_can_be_repeated(
    published: Path, release: Release, tmp_path: Path
) -> None:
    leftover = tmp_path / "copy.partial" / "half"
    leftover.mkdir(parents=True)
    (leftover / "file").write_bytes(b"")
    release.copy_repository(published, tmp_path / "copy")
    assert not (tmp_path / "copy" / "half").exists()
