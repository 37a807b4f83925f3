"""Runs a program that ends when its parent ends: `python -m tidegate.local.child PROGRAM ARGS…`.

Without it, killing supervisord would leave servers behind that hold their ports and belong to
nobody. With `--after=MARK` before the program, helpers that a killed predecessor left are ended
first (see orphans.py).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
AFTER = "--after="


def main() -> None:
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the request was in force
        sys.exit(1)
    command = sys.argv[1:]
    if command[0].startswith(AFTER):
        from tidegate.local.orphans import end_orphans

        end_orphans(command[0].removeprefix(AFTER))
        command = command[1:]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
