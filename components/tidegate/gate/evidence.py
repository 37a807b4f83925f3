"""Verdicts as in-toto statements in an append-only folder."""

import json
import os
from pathlib import Path
from typing import Any

from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome, Verdict

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"


def evidence_path(request: GateRequest, verdict: Verdict) -> Path:
    """`<evidenceDir>/<service>/<revision>/<UTC timestamp>-<outcome>.json`"""
    stamp = (verdict.ended_at or "").replace("-", "").replace(":", "")
    folder = Path(request.evidence_dir) / request.service / request.revision
    return folder / f"{stamp}-{verdict.outcome}.json"


def write_evidence(request: GateRequest, verdict: Verdict) -> Path:
    """Write the statement. Raises FileExistsError rather than touching earlier evidence."""
    path = evidence_path(request, verdict)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as stream:
        json.dump(statement(request, verdict), stream, indent=2, allow_nan=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    return path


def latest_evidence(evidence_dir: Path, service: str, revision: str) -> Path | None:
    """The newest statement about a revision; file names sort by time."""
    return max((evidence_dir / service / revision).glob("*.json"), default=None)


def statement(request: GateRequest, verdict: Verdict) -> dict[str, Any]:
    """An in-toto Statement v1 with the test-result predicate.

    The predicate knows PASSED, WARNED and FAILED; only PASS is PASSED. The whole verdict stands
    beside it in `annotations`.
    """
    tests = [(part.quantile, part.outcome) for part in verdict.quantiles]
    if verdict.error_rate is not None:
        tests.append(("errorRate", verdict.error_rate.outcome))
    if verdict.golden is not None:
        right = verdict.golden.complete and not verdict.golden.disagreements
        tests.append(("goldenAnswers", Outcome.PASS if right else Outcome.FAIL))
    tests.append(("validity", Outcome.FAIL if verdict.outcome is Outcome.INVALID else Outcome.PASS))
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            _resource(name, digest) for name, digest in sorted(request.subject_digests.items())
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": "PASSED" if verdict.outcome is Outcome.PASS else "FAILED",
            "configuration": [
                _resource(f"profile/{request.profile.name}", request.profile.digest),
                _resource("golden", request.golden_sha256),
                _resource("request", request.digest),
            ],
            "passedTests": [name for name, outcome in tests if outcome is Outcome.PASS],
            "warnedTests": [name for name, outcome in tests if outcome is Outcome.INCONCLUSIVE],
            "failedTests": [name for name, outcome in tests if outcome is Outcome.FAIL],
            "annotations": {"verdict": verdict.model_dump(mode="json", by_alias=True)},
        },
    }


def _resource(name: str, digest: str) -> dict[str, Any]:
    algorithm, _, value = digest.partition(":")
    return {"name": name, "digest": {algorithm: value}}
