"""Brings the files of a model repository to a folder, and lets no other bytes be served.

    python -m tidegate.runner.fetch_models --files files.json [--source s3://bucket/prefix] \
        --folder /models

Runs in a pod before its server does. Without a source the files are there already, and their
digests are compared. Started again it loads what is not there yet. Exit code 1 and a sentence on
standard error when they differ.
"""

import argparse
import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.spec.digests import digest_file, tree_findings

if TYPE_CHECKING:
    from obstore.store import ObjectStore, RetryConfig

AT_ONCE = 8
"""Files loaded side by side; each is one request."""
LONGEST = timedelta(hours=12)
"""For one file. A body that breaks off goes on where it was only this long after its beginning."""
_RETRIES: "RetryConfig" = {"max_retries": 10, "retry_timeout": LONGEST}
_TIMEOUTS = {"TIMEOUT": f"{LONGEST.total_seconds():.0f}s", "READ_TIMEOUT": "60s"}
"""Of a request with its body, which obstore gives 30 s, and of a pause in it, which it does not
limit."""
_PREFIXES = ("AWS_", "GOOGLE_")


class ModelFilesError(Exception):
    """The folder does not hold the files of the manifest; says which ones and why."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="fetch_models", description="Model files by digest.")
    parser.add_argument("--files", type=Path, required=True, help="JSON: path → sha256 digest")
    parser.add_argument("--source", help="URL below which the files lie")
    parser.add_argument("--folder", type=Path, required=True, help="where the server finds them")
    options = parser.parse_args(arguments)
    expected = json.loads(options.files.read_text(encoding="utf-8"))
    try:
        if options.source is not None:
            asyncio.run(fetch(open_source(options.source), expected, options.folder))
        verify(expected, options.folder)
    except ModelFilesError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(expected)} files in {options.folder} are those of the release")
    return 0


def open_source(url: str) -> "ObjectStore":
    """A bucket's credentials and options come from the environment or from the pod's identity.

    Raises ModelFilesError when the URL names no store.
    """
    # Loaded on use: comparing digests does not need it.
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    # As variables: options in the call would replace all of the environment's, such as
    # AWS_ALLOW_HTTP.
    for prefix in _PREFIXES:
        for name, value in _TIMEOUTS.items():
            os.environ.setdefault(prefix + name, value)
    try:
        return from_url(url, retry_config=_RETRIES)
    except (BaseError, ValueError) as error:
        raise ModelFilesError(f"{url} cannot be opened: {_first_line(error)}") from error


async def fetch(source: "ObjectStore", expected: Mapping[str, str], folder: Path) -> None:
    """Load every file that is not there yet.

    Raises ModelFilesError naming all that cannot be, or have other digests.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, digest: str) -> str | None:
        async with limit:
            return await _fetch_one(source, name, digest, folder / name)

    loading = [one(name, digest) for name, digest in sorted(expected.items())]
    problems = [each for each in await asyncio.gather(*loading) if each is not None]
    if problems:
        raise ModelFilesError("; ".join(problems))


def verify(expected: Mapping[str, str], folder: Path) -> None:
    """Raise ModelFilesError unless the folder holds these files and no other."""
    findings = tree_findings(folder, expected)
    if findings:
        raise ModelFilesError(
            f"{folder} does not hold the release: {'; '.join(findings)}. Put the files of the "
            "release there, or publish what is there as a release of its own"
        )


async def _fetch_one(source: "ObjectStore", name: str, digest: str, target: Path) -> str | None:
    """What is wrong, or None."""
    from obstore.exceptions import BaseError

    partial = target.with_name(f"{target.name}.partial")
    seen = hashlib.sha256()
    try:
        if await asyncio.to_thread(_is_there, target, digest):
            return None
        target.parent.mkdir(parents=True, exist_ok=True)
        answer = await source.get_async(name)
        with partial.open("wb") as stream:  # nothing else is served meanwhile
            async for chunk in answer:
                seen.update(chunk)
                stream.write(chunk)
    except (BaseError, OSError, FileNotFoundError) as error:
        return f"{name} cannot be loaded: {_first_line(error)}"
    found = f"sha256:{seen.hexdigest()}"
    if found != digest:
        partial.unlink()
        return f"{name} is {found} at its source, expected {digest}"
    partial.rename(target)
    return None


def _is_there(target: Path, digest: str) -> bool:
    return target.is_file() and digest_file(target) == digest


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
