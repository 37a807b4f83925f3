"""Verdicts as in-toto statements in an append-only store."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from tidegate.gate.evidence_store import EvidenceExistsError, open_store
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome, Verdict

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"


def evidence_path(request: GateRequest, verdict: Verdict) -> str:
    """`<evidenceDir>/<service>/<revision>/<UTC timestamp>-<outcome>.json`, a path or a URL."""
    return open_store(request.evidence_dir).locate(_name(request, verdict))


def write_evidence(request: GateRequest, verdict: Verdict) -> str:
    """Keep the statement and say where.

    Raises EvidenceExistsError rather than touching earlier evidence, SpecError when the store's
    address is none.
    """
    content = json.dumps(statement(request, verdict), indent=2, allow_nan=False) + "\n"
    return open_store(request.evidence_dir).create(_name(request, verdict), content.encode())


def keep_what_was_measured(request: GateRequest, verdict: Verdict, samples: Path) -> Verdict:
    """Put the run's report page and its samples beside the evidence: they outlive its folder.

    Never raises: a verdict that was reached stands with or without them.
    """
    changes: dict[str, str] = {}
    for what, path in (("report", verdict.report_path), ("samples", samples)):
        if path is None or not Path(path).exists():
            continue
        try:
            changes[f"{what}_path"] = _keep_beside(request, verdict, Path(path))
        except (OSError, EvidenceExistsError) as error:
            changes[f"{what}_problem"] = f"{type(error).__name__}: {error}"
    return verdict.model_copy(update=changes)


def latest_evidence(evidence: str | Path, service: str, revision: str) -> str | None:
    """Path or URL of the newest statement about a revision; names sort by time."""
    store = open_store(evidence)
    names = [each for each in store.names(f"{service}/{revision}") if each.endswith(".json")]
    return store.locate(names[-1]) if names else None


def statement(request: GateRequest, verdict: Verdict) -> dict[str, Any]:
    """An in-toto Statement v1 with the test-result predicate.

    The predicate knows PASSED, WARNED and FAILED; only PASS is PASSED. The whole verdict stands
    beside it in `annotations`.
    """
    tests = _tests(request, verdict)
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


def _tests(request: GateRequest, verdict: Verdict) -> list[tuple[str, Outcome]]:
    """Every condition by name; a validity check that fails is named after the check."""
    tests = [(part.quantile, part.outcome) for part in verdict.quantiles]
    if verdict.error_rate is not None:
        tests.append(("errorRate", verdict.error_rate.outcome))
    if verdict.comparison is not None:
        tests += [
            (f"comparison/{part.quantile}", part.outcome) for part in verdict.comparison.quantiles
        ]
    if verdict.golden is not None:
        # Loaded on use: it needs scipy, and a provider only reads evidence.
        from tidegate.gate.golden_rule import golden_outcome

        right = golden_outcome(verdict.golden, request.profile, verdict.confidence)
        tests.append(("goldenAnswers", right if verdict.golden.complete else Outcome.FAIL))
    states = {"ok": Outcome.PASS, "violated": Outcome.FAIL, "unknown": Outcome.INCONCLUSIVE}
    tests += [(f"validity/{check.name}", states[check.state]) for check in verdict.checks]
    tests.append(("validity", Outcome.FAIL if verdict.outcome is Outcome.INVALID else Outcome.PASS))
    return tests


def _name(request: GateRequest, verdict: Verdict) -> str:
    stamp = (verdict.ended_at or "").replace("-", "").replace(":", "")
    return f"{request.service}/{request.revision}/{stamp}-{verdict.outcome}.json"


def _keep_beside(request: GateRequest, verdict: Verdict, path: Path) -> str:
    name = PurePosixPath(_name(request, verdict)).with_suffix(path.suffix)
    return open_store(request.evidence_dir).create(str(name), path.read_bytes())


def _resource(name: str, digest: str) -> dict[str, Any]:
    algorithm, _, value = digest.partition(":")
    return {"name": name, "digest": {algorithm: value}}
