"""`evidence: s3://…` through the real engine and a supervised runner, into an S3 on loopback."""

import pytest

from tests.engine.harness.project import Project
from tests.unit.gate.bucket_fake import serving_bucket

pytestmark = pytest.mark.engine

SECRET = "k3y-which-nobody-may-read"  # noqa: S105 - made up


def test_a_gate_keeps_its_evidence_in_the_bucket(
    shared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = shared.new_release()
    services = {"digits": {"release": f"digits@{release}", "gate": {"profile": "test"}}}
    shared.declare(services, {"local": {"evidence": "s3://evidence/team"}})
    attempts_in_folder = shared.attempts()
    with serving_bucket() as bucket:
        for name, value in bucket.environment(SECRET).items():
            monkeypatch.setitem(shared.environment, name, value)
        shared.up()
        kept = dict(bucket.objects)

    service = shared.outputs()["services"]["digits"]
    for url in (service["evidence"], service["report"]):
        assert url.startswith(f"s3://evidence/team/digits/{shared.revision(release)}/")
        assert url.removeprefix("s3://evidence/") in kept
    assert any(key.startswith("team/attempts-test/") for key in kept)
    assert shared.attempts() == attempts_in_folder
    files = [path for path in shared.root.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
