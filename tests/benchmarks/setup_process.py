"""`python -m tests.benchmarks.setup_process CLONE`: set a clone up, print seconds by step as JSON.

A process of its own because the programs it starts take their caches from its environment.
"""

import json
import os
import sys
from pathlib import Path

from toolchain.progress import Progress
from toolchain.project import Project, tools_root
from toolchain.setup import programs_to_build, set_up, step_count


def main(clone: Path) -> None:
    project, tools = Project(clone), tools_root(os.environ, Path.home())
    to_build = programs_to_build(project, tools, os.environ)
    progress = Progress(sys.stderr, step_count(to_build))
    set_up(project, tools, to_build, progress, os.environ)
    print(json.dumps({step.title: round(step.seconds, 1) for step in progress.times}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
