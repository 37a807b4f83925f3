"""Folders and buckets keep the same promises: whole entries, never replaced, in order."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.gate.bucket_fake import FakeBucket, bucket_in_environment
from tidegate.gate.evidence_store import EvidenceExistsError, EvidenceStore, open_store
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBucket]:
    with bucket_in_environment(monkeypatch) as served:
        yield served


@pytest.fixture(params=["folder", "file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> EvidenceStore:
    if request.param == "s3":
        request.getfixturevalue("bucket")
        return open_store("s3://evidence/team one")
    folder = tmp_path / "team one"
    return open_store(str(folder) if request.param == "folder" else folder.as_uri())


def test_nothing_is_overwritten(store: EvidenceStore) -> None:
    where = store.create("digits/digits-2/a-PASS.json", b"first")
    assert where == store.locate("digits/digits-2/a-PASS.json")
    with pytest.raises(EvidenceExistsError, match="never overwritten"):
        store.create("digits/digits-2/a-PASS.json", b"second")
    store.create("digits/digits-2/b-FAIL.json", b"later")
    store.create("digits/digits-20/c-PASS.json", b"of another revision")
    assert store.names("digits/digits-2") == [
        "digits/digits-2/a-PASS.json",
        "digits/digits-2/b-FAIL.json",
    ]
    assert store.names("digits/none") == []


def test_a_log_keeps_the_order_of_writing(store: EvidenceStore) -> None:
    assert store.lines("attempts-local") == []
    written = [f'{{"attempt": {number}}}' for number in range(1, 13)]
    for line in written:
        store.append("attempts-local", line)
    store.append("attempts-other", "{}")
    assert store.lines("attempts-local") == written


def test_a_folder_holds_whole_files_only(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create("a/b.json", b"content")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.json"]
    assert (tmp_path / "a/b.json").read_bytes() == b"content"


def test_writers_of_one_log_in_a_bucket_do_not_replace_each_other(bucket: FakeBucket) -> None:
    lines = [f"line {number}" for number in range(24)]

    def append(line: str) -> None:
        open_store("s3://evidence/team").append("attempts-local", line)

    with ThreadPoolExecutor(6) as writers:
        list(writers.map(append, lines))
    assert sorted(open_store("s3://evidence/team").lines("attempts-local")) == sorted(lines)


def test_a_put_whose_answer_was_lost_is_not_taken_for_another_writers(bucket: FakeBucket) -> None:
    bucket.lose_answers = 1
    open_store("s3://evidence").create("a.json", b"content")
    assert bucket.objects == {"a.json": b"content"}


def test_a_bucket_that_locks_what_it_is_given_gets_a_checksum(bucket: FakeBucket) -> None:
    bucket.locked = True
    store = open_store("s3://evidence/team")
    store.create("digits/a-PASS.json", b"content")
    store.append("attempts-local", "{}")
    assert list(bucket.objects) == ["team/digits/a-PASS.json", "team/attempts-local/00000001.json"]


def test_a_bucket_that_refuses_is_named(bucket: FakeBucket) -> None:
    bucket.refusing = True
    with pytest.raises(OSError, match="s3://evidence/team") as error:
        open_store("s3://evidence/team").lines("attempts-local")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "where", ["ftp://somewhere/else", "s3://", "s3:///prefix", "file://host/folder", "s3://b?x=1"]
)
def test_an_address_that_is_no_store_is_refused(where: str) -> None:
    with pytest.raises(SpecError, match="s3://bucket/prefix"):
        open_store(where)


def test_credentials_in_an_address_are_refused_without_repeating_them() -> None:
    with pytest.raises(SpecError) as error:
        open_store("s3://key:hidden-word@bucket/prefix")
    assert "hidden-word" not in str(error.value)
