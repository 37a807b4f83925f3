"""A runner that keeps its evidence in a bucket, with credentials that reach it through a pipe."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.unit.gate.bucket_fake import FakeBucket, serving_bucket
from tests.unit.gate.builders import make_request, make_short_profile
from tests.unit.gate.kserve_fake import FakeServer, serving
from tests.unit.gate.running import RUN_SECONDS, events
from tidegate.gate.attempts import attempts_in
from tidegate.gate.handed_environment import ON_STDIN, as_line, environment_for
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome, Verdict

pytestmark = pytest.mark.unit

EVIDENCE = "s3://evidence/team"
SECRET = "k3y-which-nobody-may-read"  # noqa: S105 - made up


@pytest.fixture
def bucket() -> Iterator[FakeBucket]:
    with serving_bucket() as served:
        yield served


def credentials(bucket: FakeBucket) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": bucket.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "eu-north-1",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }


def run_supervised(run_dir: Path, request: GateRequest, handed: Mapping[str, str] | None) -> int:
    """Run it as the platform does; with None, whoever started it hands nothing over."""
    run_dir.mkdir()
    request.write(run_dir / "request.json")
    line = as_line(handed) if handed is not None else ""
    command = [sys.executable, "-m", "tidegate.gate.runner", ON_STDIN, str(run_dir)]
    return subprocess.run(command, input=line.encode(), timeout=RUN_SECONDS, check=False).returncode


def test_evidence_report_and_attempts_lie_in_the_bucket(tmp_path: Path, bucket: FakeBucket) -> None:
    with serving(FakeServer()) as server:
        profile = make_short_profile(comparison_margins={})
        request = make_request(tmp_path, server, evidence_dir=EVIDENCE, profile=profile)
        code = run_supervised(tmp_path / "run", request, credentials(bucket))

    verdict = Verdict.load(tmp_path / "run" / "verdict.json")
    assert (code, verdict.outcome) == (0, Outcome.PASS), verdict.reasons
    for url in (verdict.evidence_path, verdict.report_path):
        assert url is not None and url.startswith(f"{EVIDENCE}/doubler/doubler-2-0123abcd/")
        assert url.removeprefix("s3://evidence/") in bucket.objects
    log = [
        content.decode() for key, content in sorted(bucket.objects.items()) if "/attempts-" in key
    ]
    assert [each.evidence_path for each in attempts_in(log)] == [verdict.evidence_path]
    assert not (tmp_path / "evidence").exists()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in each for each in (*written, *bucket.objects.values()))


def test_a_bucket_that_refuses_is_named_before_any_load(tmp_path: Path, bucket: FakeBucket) -> None:
    bucket.refusing = True
    with serving(FakeServer()) as server:
        request = make_request(tmp_path, server, evidence_dir=EVIDENCE)
        code = run_supervised(tmp_path / "run", request, credentials(bucket))
        assert server.requests == 0

    message = events(tmp_path / "run")[-1]["message"]
    assert code == 5
    assert message.startswith(f"evidence: '{EVIDENCE}' cannot work: ")
    assert "no load was sent" in message and "403" in message
    assert "\n" not in message and SECRET not in message


def test_a_runner_that_is_handed_nothing_says_so(tmp_path: Path) -> None:
    with serving(FakeServer()) as server:
        request = make_request(tmp_path, server, evidence_dir=EVIDENCE)
        code = run_supervised(tmp_path / "run", request, None)
        assert server.requests == 0

    assert code == 5
    assert (
        "before it handed over the bucket's credentials" in events(tmp_path / "run")[-1]["message"]
    )


@pytest.mark.parametrize(
    ("evidence", "names"),
    [
        ("s3://evidence", {"AWS_REGION"}),
        ("gs://evidence/team", {"GOOGLE_SERVICE_ACCOUNT"}),
        ("/var/evidence", set[str]()),
        ("file:///var/evidence", set[str]()),
    ],
)
def test_a_runner_gets_what_its_buckets_client_reads_and_no_more(
    evidence: str, names: set[str]
) -> None:
    environment = {"AWS_REGION": "x", "GOOGLE_SERVICE_ACCOUNT": "y", "GITHUB_TOKEN": "z"}

    assert set(environment_for(evidence, environment)) == names
