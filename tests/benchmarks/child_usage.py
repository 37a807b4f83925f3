"""`python child_usage.py COMMAND …`: run it and print its wall time, CPU time and peak memory.

A process of its own because Linux counts the memory that a child's parent had when the child was
started towards the child's peak: whoever measures has to be small. Imports nothing large.
"""

import json
import os
import subprocess
import sys
import time


def main(command: list[str]) -> int:
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    found = {
        "exitCode": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - started,
        "cpuSeconds": usage.ru_utime + usage.ru_stime,
        # Linux counts kilobytes.
        "peakBytes": usage.ru_maxrss * 1024,
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
