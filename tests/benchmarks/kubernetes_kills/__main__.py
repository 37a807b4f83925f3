"""`python -m tests.benchmarks.kubernetes_kills [--moments …] [--resume FILE]`: some points."""

import sys

from tests.benchmarks.kill_matrix.command_line import choose
from tests.benchmarks.kubernetes_kills.cluster_line import cluster_lines
from tests.benchmarks.kubernetes_kills.matrix import RESULTS_NAME, all_points

if __name__ == "__main__":
    chosen = choose(all_points(), RESULTS_NAME, __doc__)
    with cluster_lines() as make_line:
        exit_code = chosen.run(make_line)
    sys.exit(exit_code)
