"""Records the clouds' stacks as this version makes them; names pick some of them.

    python -m tests.cloud.record_states [stack…]

Later versions are previewed against every record, see `test_recorded_states`.
"""

import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.cloud.harness.project import CloudProject
from tests.cloud.harness.recorded_state import reduced, write_record

STACKS = ("aws-prod", "aws-staging", "aws-state", "gcp-prod", "gcp-staging", "gcp-state")
RECORDS = Path(__file__).parent / "recorded_states"


def record(stack: str, scratch: Path) -> dict[str, Any]:
    """The stack's settings, and its state after an `up` that made everything."""
    project = CloudProject(scratch / stack, scratch / "sdk-shapes", stack=stack)
    try:
        project.up(checkpoints=False)
        return {"config": project.declared()["config"], "export": reduced(project.export())}
    finally:
        project.remove()


def main(stacks: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for stack in stacks or STACKS:
            path = RECORDS / version("tidegate") / f"{stack}.json.gz"
            write_record(path, record(stack, Path(scratch)))
            print(f"{path.relative_to(Path.cwd())}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main(sys.argv[1:])
