"""A cluster of the cluster tests for the time of a measurement."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.stacks import say, temporary_folder
from tests.cluster.harness import programs
from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.tools import Tools
from toolchain.installed import tool_folder, tool_path


@contextmanager
def temporary_cluster() -> Iterator[tuple[KubernetesCluster, Path]]:
    """Control plane, nodes and images, and a folder beside them; all of it is gone at the end.

    Raises ToolchainError when its programs are not installed.
    """
    with _ending_as_with_ctrl_c(), temporary_folder() as folder:
        say("  starting a control plane")
        cluster = KubernetesCluster(Tools(tool_path, tool_folder), folder / "cluster")
        try:
            programs.add_images(cluster.images, folder / "images")
            yield cluster, folder
        finally:
            say("  taking the cluster down")
            cluster.close()


@contextmanager
def _ending_as_with_ctrl_c() -> Iterator[None]:
    """Have SIGTERM, too, take down what was started."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
