"""Set-up from nothing: empty tool cache, empty Go and pip caches, no `.venv`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.figure import Measurement
from tests.benchmarks.stacks import temporary_folder
from tests.engine.harness.toolchain_environment import REPOSITORY

NEEDED = ("toolchain", "components", "pyproject.toml", "requirements.txt", "README.md", "LICENSE")
CACHES = {
    "TIDEGATE_TOOLS": "tools",
    "GOCACHE": "go-build",
    "GOMODCACHE": "go-modules",
    "PIP_CACHE_DIR": "pip",
}


def measure_cold_setup() -> Measurement:
    """Seconds by step, as `make setup` counts them. Downloads are part of it."""
    with temporary_folder() as folder:
        clone = folder / "clone"
        clone.mkdir()
        for name in NEEDED:
            source = REPOSITORY / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, clone / name, ignore=ignored)
            else:
                shutil.copyfile(source, clone / name)
        run = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.setup_process", str(clone)],
            cwd=REPOSITORY,
            env=_environment(folder),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        steps: dict[str, float] = json.loads(run.stdout)
        # Go makes its modules read-only.
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    total = sum(steps.values())
    return Measurement(
        value=total,
        unit="s",
        goal=None,
        met=True,
        reference="make setup with empty caches",
        runs=[total],
        detail={"steps": steps},
    )


def _environment(folder: Path) -> dict[str, str]:
    """This one with empty caches and without a pulumi on PATH."""
    path = [
        entry
        for entry in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if not (Path(entry) / "pulumi").exists()
    ]
    caches = {name: str(folder / place) for name, place in CACHES.items()}
    return {**os.environ, "PATH": os.pathsep.join(path), **caches}
