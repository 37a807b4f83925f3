"""`python -m tests.benchmarks.kill_matrix [--victims …] [--moments …] [--ways …]`: some points."""

import sys

from tests.benchmarks.kill_matrix.command_line import choose
from tests.benchmarks.kill_matrix.embedded_line import embedded_line
from tests.benchmarks.kill_matrix.matrix import RESULTS_NAME, all_points, switch_points

if __name__ == "__main__":
    chosen = choose([*all_points(), *switch_points()], RESULTS_NAME, __doc__)
    sys.exit(chosen.run(embedded_line))
