"""A bucket's credentials on their way to a gate's runner: through a pipe, never a file.

Whoever supervises the runner does not have them, and its settings are files.
"""

import json
import os
import select
import sys
from collections.abc import Mapping

from tidegate.gate.evidence_store import bucket_scheme

ON_STDIN = "--environment-on-stdin"
"""The runner's option that makes it wait for `as_line` before anything else."""
WAIT_SECONDS = 30
_PREFIXES = {"s3": "AWS_", "gs": "GOOGLE_"}


class NothingHandedOverError(Exception):
    """Whoever started the runner ended before it wrote the line."""


def environment_for(evidence: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a bucket's client reads; nothing when evidence goes into a folder."""
    scheme = bucket_scheme(evidence)
    if scheme is None:
        return {}
    prefix = _PREFIXES[scheme]
    return {name: value for name, value in environment.items() if name.startswith(prefix)}


def as_line(environment: Mapping[str, str]) -> str:
    """What `take_environment` reads."""
    return json.dumps(dict(environment)) + "\n"


def take_environment() -> None:
    """Read one line from standard input into this process's environment.

    Raises NothingHandedOverError when none comes within WAIT_SECONDS.
    """
    ready, _, _ = select.select([sys.stdin], [], [], WAIT_SECONDS)
    line = sys.stdin.readline() if ready else ""
    if not line:
        raise NothingHandedOverError(
            "whoever started the gate ended before it handed over the bucket's credentials; "
            "no load was sent"
        )
    os.environ.update(json.loads(line))
