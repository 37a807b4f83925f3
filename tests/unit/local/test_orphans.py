import subprocess
import sys
import uuid

import psutil
import pytest

from tests.engine.harness.waiting import wait_for
from tidegate.local.orphans import end_orphans

pytestmark = pytest.mark.unit

WAITS = "import sys, time; print(flush=True); time.sleep(60)"


def helper(mark: str) -> psutil.Process:
    """A process with an argument that begins with the mark, as the child of one without."""
    child = subprocess.Popen([sys.executable, "-c", WAITS, f"{mark}x"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    return psutil.Process(child.pid)


def test_a_helper_whose_server_is_gone_is_ended() -> None:
    mark = f"tidegate-{uuid.uuid4()}-"
    orphan, other = helper(mark), helper(f"other-{mark}")
    try:
        assert end_orphans(mark) == [orphan.pid]

        wait_for("its end", lambda: orphan.status() == psutil.STATUS_ZOMBIE)
        assert other.is_running()
    finally:
        for process in (orphan, other):
            process.kill()
            process.wait()


def test_a_helper_whose_server_runs_is_left_alone() -> None:
    mark = f"tidegate-{uuid.uuid4()}-"
    prefix = "--prefix="
    starts = (
        "import subprocess, sys; "
        f"mark = sys.argv[1].removeprefix({prefix!r}); "
        f"subprocess.run([sys.executable, '-c', {WAITS!r}, mark + 'x'])"
    )
    server = subprocess.Popen([sys.executable, "-c", starts, prefix + mark], stdout=subprocess.PIPE)
    assert server.stdout is not None
    server.stdout.readline()
    (worker,) = psutil.Process(server.pid).children()
    try:
        assert end_orphans(mark) == []
        assert worker.is_running()
    finally:
        for process in (worker, psutil.Process(server.pid)):
            process.kill()
        server.wait()
