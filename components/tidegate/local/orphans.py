"""Helpers of a killed server that wait for ever for a lock that it held.

Triton's Python backend starts one process per model instance. They notice a server that is killed,
unless one of them waits on a mutex in their shared memory that the server held.
"""

import psutil


def end_orphans(mark: str) -> list[int]:
    """Kill processes that have an argument beginning with `mark` and whose parent does not
    mention it; returns their process ids.
    """
    ended = []
    for process in psutil.process_iter():
        try:
            if not any(part.startswith(mark) for part in process.cmdline()):
                continue
            parent = process.parent()
            if parent is None or not any(mark in part for part in parent.cmdline()):
                process.kill()
                ended.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return ended
