"""The locustfiles run under plain `locust`, as people explore with them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.gate.builders import make_profile
from tests.unit.gate.kserve_fake import FakeServer, serving, write_golden_set
from tests.unit.gate.running import RUN_SECONDS

pytestmark = pytest.mark.unit

LOADTESTS = Path(__file__).parents[3] / "loadtests"


@pytest.mark.parametrize(
    ("name", "options"),
    [("kserve.py", []), ("open_loop.py", ["--gate-profile", "profile.yaml"])],
)
def test_locustfile_sends_checked_requests(name: str, options: list[str], tmp_path: Path) -> None:
    # An answer that a busy machine holds up is late and no error.
    profile = make_profile(duration_seconds=45, deadline_seconds=60)
    (tmp_path / "profile.yaml").write_text(json.dumps(profile.model_dump(by_alias=True)))
    write_golden_set(tmp_path / "golden.npz")
    with serving(FakeServer()) as server:
        command = [sys.executable, "-m", "locust", "-f", str(LOADTESTS / name), "--headless"]
        command += ["--host", f"http://{server.http_target}", "--users", "1", "--run-time", "4s"]
        command += ["--grpc-target", server.grpc_target, "--golden", str(tmp_path / "golden.npz")]
        command += ["--model", "doubler", "--model-version", "2", "--json", "--skip-log", *options]
        ended = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=RUN_SECONDS
        )
        assert server.requests > 20
    assert ended.returncode == 0, ended.stderr
    kinds = {each["method"] for each in json.loads(ended.stdout)}
    assert {"httpBinary", "httpJson", "grpc"} <= kinds
