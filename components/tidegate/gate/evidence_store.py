"""Where evidence lies: a folder or an object bucket, either only ever added to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from tidegate.spec.errors import SpecError

if TYPE_CHECKING:
    from obstore.store import ObjectStore, RetryConfig, S3Config

BUCKET_SCHEMES = ("s3", "gs")
_RETRIES: "RetryConfig" = {"max_retries": 6, "retry_timeout": timedelta(seconds=60)}
_S3: "S3Config" = {"checksum_algorithm": "SHA256"}
"""A bucket whose objects are locked by default takes none without a checksum.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""


class EvidenceExistsError(Exception):
    """Something else is already kept under that name."""


class LogMovedError(Exception):
    """A log has other lines than its writer had read."""


class EvidenceStore(Protocol):
    """Names are relative and use `/`. Nothing that was written is ever changed."""

    def locate(self, name: str) -> str:
        """Path or URL under which `name` is, or will be, kept."""

    def create(self, name: str, content: bytes) -> str:
        """Keep `content` durably and say where. Raises EvidenceExistsError."""

    def names(self, prefix: str) -> list[str]:
        """What is kept under the folder `prefix`, sorted."""

    def append(self, log: str, line: str, after: int | None = None) -> None:
        """Add a line to a log durably.

        With `after`, only when the log has so many lines now, as one step: of several writers
        that read the same lines, one succeeds. Raises LogMovedError for the others.
        """

    def lines(self, log: str) -> list[str]:
        """Every line of a log in the order of writing."""


def open_store(where: str | Path) -> EvidenceStore:
    """The store at a folder's path, `file:///folder`, `s3://bucket/prefix` or `gs://bucket/prefix`.

    A bucket's credentials come from the environment or from a role of the machine. Raises SpecError
    for any other address, OSError when what is found there cannot be used.
    """
    if isinstance(where, Path) or "://" not in where:
        return FolderStore(Path(where))
    check_address(where)
    parts = urlsplit(where)
    if parts.scheme == "file":
        return FolderStore(Path(unquote(parts.path)))
    # Loaded for buckets only: the provider never opens one.
    from obstore.store import from_url

    config = _S3 if parts.scheme == "s3" else None
    with _saying_where(where):
        return BucketStore(from_url(where, config=config, retry_config=_RETRIES), where)


def bucket_scheme(where: str) -> str | None:
    """ "s3" or "gs"; None for a folder."""
    scheme, separator, _ = where.partition("://")
    return scheme if separator and scheme in BUCKET_SCHEMES else None


def check_address(where: str) -> str:
    """Return the address of a store. Raises SpecError as `open_store` does; opens nothing."""
    if "://" not in where:
        return where
    parts = urlsplit(where)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return where
    if parts.username or parts.password:
        raise SpecError(
            "evidence",
            f"{parts.scheme}://…@{parts.hostname}",
            "an address is written into evidence and logs, so it must not hold credentials",
            "the address alone, and credentials in the environment",
        )
    if bucket_scheme(where) is None or not parts.hostname or parts.query or parts.fragment:
        raise SpecError(
            "evidence",
            where,
            "no evidence can be kept there",
            "a folder, file:///folder, s3://bucket/prefix or gs://bucket/prefix",
        )
    return where


def check_endpoint(evidence: str | None, endpoint: str | None) -> None:
    """Raise SpecError for an endpoint that nothing at this address would be reached by.

    Without an address evidence is in the bucket of the cluster, at its cloud.
    """
    if endpoint is not None and (evidence is None or bucket_scheme(evidence) != "s3"):
        kept = evidence or "in the cluster's bucket"
        raise SpecError(
            "evidenceEndpoint",
            endpoint,
            f"evidence is {kept}, and only s3:// addresses lead to an endpoint",
            "evidence: s3://bucket/prefix, or no evidenceEndpoint",
        )


class FolderStore:
    """Files below a folder. A log is `<log>.jsonl`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def locate(self, name: str) -> str:
        return str(self._root / name)

    def create(self, name: str, content: bytes) -> str:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        _write_durably(temporary, content)
        try:
            # A link appears whole or not at all, and never in place of another file.
            path.hardlink_to(temporary)
        except FileExistsError:
            raise EvidenceExistsError(f"{path} exists; evidence is never overwritten") from None
        finally:
            temporary.unlink()
        _sync(path.parent)
        return str(path)

    def names(self, prefix: str) -> list[str]:
        folder = self._root / prefix
        found = (path for path in folder.rglob("*") if path.is_file())
        return sorted(
            path.relative_to(self._root).as_posix() for path in found if path.name[0] != "."
        )

    def append(self, log: str, line: str, after: int | None = None) -> None:
        path = self._root / f"{log}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if after is not None and len(self.lines(log)) != after:
                raise LogMovedError(f"{path} was written to")
            with path.open("ab") as stream:
                stream.write(line.encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())

    def lines(self, log: str) -> list[str]:
        try:
            return (self._root / f"{log}.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []


class BucketStore:
    """Objects below a bucket's prefix. A log is one object per line, `<log>/<number>.json`.

    Each object is created on the condition that there is none yet, so two writers cannot
    replace each other's; give the bucket a retention rule to keep out everybody else.
    A bucket that cannot be reached or refuses raises OSError with its address.
    """

    def __init__(self, store: "ObjectStore", url: str) -> None:
        self._store = store
        self._url = url.rstrip("/")

    def locate(self, name: str) -> str:
        return f"{self._url}/{name}"

    def create(self, name: str, content: bytes) -> str:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with _saying_where(self._url):
            try:
                obstore.put(self._store, name, content, mode="create")
            except AlreadyExistsError:
                # A repeated request finds what the first one wrote when its answer was lost.
                if self._read(name) != content:
                    raise EvidenceExistsError(
                        f"{self.locate(name)} exists; evidence is never overwritten"
                    ) from None
        return self.locate(name)

    def names(self, prefix: str) -> list[str]:
        import obstore

        with _saying_where(self._url):
            listed = obstore.list(self._store, prefix=prefix)
            return sorted(each["path"] for part in listed for each in part)

    def append(self, log: str, line: str, after: int | None = None) -> None:
        names = self.names(log)
        if after is not None and len(names) != after:
            raise LogMovedError(f"{self.locate(log)} was written to")
        last = int(Path(names[-1]).stem) if names else 0
        for number in count(last + 1):
            try:
                self.create(f"{log}/{number:08d}.json", line.encode() + b"\n")
            except EvidenceExistsError:
                if after is not None:
                    raise LogMovedError(f"{self.locate(log)} was written to") from None
                continue  # another writer took the number
            return

    def lines(self, log: str) -> list[str]:
        with _saying_where(self._url):
            return [self._read(name).decode().rstrip("\n") for name in self.names(log)]

    def _read(self, name: str) -> bytes:
        import obstore

        return bytes(obstore.get(self._store, name).bytes())


@contextmanager
def _saying_where(url: str) -> Iterator[None]:
    """The library's errors end in pages of its own structures; the first line says it."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        raise OSError(f"{url}: {str(error).splitlines()[0]}") from error


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
