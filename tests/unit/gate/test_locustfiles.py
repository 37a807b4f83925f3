"""The locustfiles run under plain `locust`, as people explore with them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.gate.kserve_fake import FakeServer, serving, write_golden_set

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

LOADTESTS = Path(__file__).parents[3] / "loadtests"


@pytest.mark.parametrize("name", ["kserve.py", "open_loop.py"])
def test_locustfile_sends_checked_requests(name: str, tmp_path: Path) -> None:
    write_golden_set(tmp_path / "golden.npz")
    with serving(FakeServer()) as server:
        command = [sys.executable, "-m", "locust", "-f", str(LOADTESTS / name), "--headless"]
        command += ["--host", f"http://{server.http_target}", "--users", "1", "--run-time", "4s"]
        command += ["--grpc-target", server.grpc_target, "--golden", str(tmp_path / "golden.npz")]
        command += ["--model", "doubler", "--model-version", "2", "--json", "--skip-log"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
        assert server.requests > 20
    assert ended.returncode == 0, ended.stderr
    kinds = {each["method"] for each in json.loads(ended.stdout)}
    assert {"httpBinary", "httpJson", "grpc"} <= kinds
