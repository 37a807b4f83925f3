"""No other bytes than the release's are ever served."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.store import GCSStore, S3Store

from tests.unit.gate.bucket_fake import SILENCE_SECONDS, bucket_in_environment
from tidegate.runner.fetch_models import main, open_source
from tidegate.spec.digests import digest_bytes

pytestmark = pytest.mark.unit

FILES = {"digits/config.pbtxt": b'name: "digits"', "digits/1/model.onnx": bytes(range(256)) * 5000}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "files.json"
    path.write_text(json.dumps({name: digest_bytes(data) for name, data in FILES.items()}))
    return path


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return written(tmp_path / "bucket")


def written(folder: Path) -> Path:
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def fetch(manifest: Path, stored: Path, folder: Path) -> int:
    return main(["--files", str(manifest), "--source", stored.as_uri(), "--folder", str(folder)])


def verify(manifest: Path, folder: Path) -> int:
    return main(["--files", str(manifest), "--folder", str(folder)])


def test_files_are_loaded_as_they_are(manifest: Path, stored: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"

    assert fetch(manifest, stored, folder) == 0
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    } == FILES


def test_a_container_that_is_started_again_ends_alike(
    manifest: Path, stored: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    (folder / "digits" / "1").mkdir(parents=True)
    (folder / "digits" / "1" / "model.onnx.partial").write_bytes(b"half")

    assert fetch(manifest, stored, folder) == 0
    assert fetch(manifest, stored, folder) == 0


def test_a_container_that_is_started_again_loads_only_what_is_not_there(
    manifest: Path, stored: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    assert fetch(manifest, stored, folder) == 0
    (folder / "digits" / "config.pbtxt").write_bytes(b"other")
    (stored / "digits" / "1" / "model.onnx").unlink()

    assert fetch(manifest, stored, folder) == 0
    assert verify(manifest, folder) == 0


@pytest.fixture
def no_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment; what is written there goes with the test."""
    for prefix in ("AWS_", "GOOGLE_"):
        for name in ("TIMEOUT", "READ_TIMEOUT"):
            monkeypatch.setenv(prefix + name, "")
            monkeypatch.delenv(prefix + name)


@pytest.mark.usefixtures("no_timeouts")
def test_a_large_file_has_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    for scheme, prefix in (("s3", "AWS"), ("gs", "GOOGLE")):
        source = open_source(f"{scheme}://models/digits/1")

        assert isinstance(source, S3Store | GCSStore)
        assert os.environ[f"{prefix}_TIMEOUT"] == "43200s"
        assert os.environ[f"{prefix}_READ_TIMEOUT"] == "60s"
        # Any of these would replace those of the environment, such as AWS_ALLOW_HTTP.
        assert source.client_options is None
        assert source.retry_config is not None
        assert source.retry_config["retry_timeout"] == timedelta(hours=12)


@pytest.mark.usefixtures("no_timeouts")
def test_a_body_that_comes_to_a_halt_goes_on_where_it_was(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "digits/1/model.onnx"
    manifest.write_text(json.dumps({name: digest_bytes(FILES[name])}))
    arguments = ["--files", str(manifest), "--source", "s3://models/serving"]
    with bucket_in_environment(monkeypatch) as bucket:
        monkeypatch.setenv("AWS_READ_TIMEOUT", "1s")  # a variable of the user's own stays
        bucket.objects[f"serving/{name}"] = FILES[name]
        bucket.silent_after = 1_000_000
        began = time.monotonic()

        assert main([*arguments, "--folder", str(tmp_path / "models")]) == 0
        assert time.monotonic() - began < SILENCE_SECONDS / 2

    assert (tmp_path / "models" / name).read_bytes() == FILES[name]
    first, *again = bucket.ranges
    assert first is None
    # A busy machine may halt as well, and at any byte.
    assert f"bytes=1000000-{len(FILES[name]) - 1}" in again


def test_a_file_that_was_changed_at_its_source_is_named(
    manifest: Path, stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stored / "digits/1/model.onnx").write_bytes(b"other")

    assert fetch(manifest, stored, tmp_path / "models") == 1
    said = capsys.readouterr().err
    assert said.startswith("digits/1/model.onnx is sha256:")
    assert "at its source, expected sha256:" in said
    assert not (tmp_path / "models/digits/1/model.onnx").exists()


def test_a_file_that_is_missing_at_its_source_is_named(
    manifest: Path, stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stored / "digits/config.pbtxt").unlink()

    assert fetch(manifest, stored, tmp_path / "models") == 1
    assert "digits/config.pbtxt cannot be loaded: " in capsys.readouterr().err


def test_an_address_that_is_none_is_named(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--files", str(manifest), "--source", "nowhere://x", "--folder", str(tmp_path)]

    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith("nowhere://x cannot be opened: ")


def test_files_that_are_there_already_are_compared(manifest: Path, tmp_path: Path) -> None:
    assert verify(manifest, written(tmp_path / "mounted")) == 0


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        ("digits/1/model.onnx", b"other", "digits/1/model.onnx is sha256:"),
        ("digits/1/model.onnx", None, "digits/1/model.onnx is missing"),
        ("digits/2/model.onnx", b"more", "digits/2/model.onnx is not in the manifest"),
    ],
)
def test_a_volume_that_holds_another_release_is_refused(
    manifest: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    finding: str,
) -> None:
    folder = written(tmp_path / "mounted")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    assert verify(manifest, folder) == 1
    said = capsys.readouterr().err
    assert finding in said
    assert "Put the files of the release there" in said
