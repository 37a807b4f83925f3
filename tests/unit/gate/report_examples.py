"""Verdicts and samples with something of everything, for what renders them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate.gate.samples import ErrorKind, Samples
from tidegate.gate.verdict import (
    BaselineCounts,
    ComparisonVerdict,
    ConditionBounds,
    Counts,
    ErrorRateVerdict,
    GeneratorHealth,
    GoldenReport,
    LookVerdict,
    Outcome,
    QuantileVerdict,
    RatioVerdict,
    ServerCounts,
    Subject,
    ValidityCheck,
    Verdict,
)

DIGEST = "sha256:" + "a" * 64
HOSTILE = "<script>alert(1)</script> | @everyone `rm` http://127.0.0.1/x"
"""Words a broken server may answer with."""


def example_samples(
    seconds: float = 310.0, rate: float = 100.0, *, baseline: bool = True, failing: bool = True
) -> Samples:
    """Two arms of lognormal latencies with a stall each 60 s; the candidate also fails a little."""
    random = np.random.default_rng(4)
    arms = []
    for arm in (0, 1) if baseline else (0,):
        intended = np.sort(random.uniform(0, seconds, int(seconds * rate)))
        latency = 0.006 * (1.1 if arm == 0 else 1.0) * random.lognormal(0, 0.45, intended.size)
        stalled = (intended % 60 > 50) & (intended % 60 < 50.4)
        latency[stalled] += 0.4 - (intended[stalled] % 60 - 50)
        sent = intended + random.exponential(0.0002, intended.size)
        kind = np.zeros(intended.size, np.int8)
        if failing and arm == 0:
            kind[random.uniform(size=intended.size) < 0.002] = ErrorKind.STATUS
            kind[(intended > 200) & (intended < 200.5)] = ErrorKind.DEADLINE
        arms.append((intended, sent, intended + latency, kind, np.full(intended.size, arm)))
    order = np.argsort(np.concatenate([part[0] for part in arms]))

    def column(position: int) -> NDArray[Any]:
        values: NDArray[Any] = np.concatenate([part[position] for part in arms])[order]
        return values

    kind = column(3)
    return Samples(
        intended=column(0),
        sent=column(1),
        done=column(2),
        ok=kind == ErrorKind.NONE,
        arm=column(4).astype(np.int8),
        kind=kind,
        protocol=np.zeros(kind.size, np.int8),
        bytes=np.full(kind.size, 200, np.int32),
        revision=np.full(kind.size, -1, np.int8),
    )


def example_verdict(outcome: Outcome = Outcome.FAIL, **changes: Any) -> Verdict:
    """A verdict on `example_samples` with every part filled in."""
    missed = outcome is Outcome.FAIL
    p99 = Outcome.FAIL if missed else outcome
    fields: dict[str, Any] = {
        "outcome": outcome,
        "summary": f"{outcome}: p99 412.0 ms, SLO 250 ms",
        "reasons": (
            "p99 412.0 ms, SLO 250 ms: 720 of 30000 requests were over it, at least 1.21%, "
            "limit 1.00%",
            f"81 of 30000 requests failed (60 status, 21 deadline); first: http 500: {HOSTILE}",
        ),
        "mend": ("the p99 SLO: about 240 s more of this load would decide",)
        if outcome is Outcome.INCONCLUSIVE
        else (),
        "validity": "full",
        "quantiles": (
            _quantile("p50", 50, 6.6, 40, 1.3, 0.0009, 0.0018, Outcome.PASS),
            _quantile("p95", 100, 14.1, 720, 6.1, 0.0191, 0.0293, Outcome.PASS),
            _quantile("p99", 250, 412.0, 720, 6.1, 0.0121, 0.0293, p99),
        ),
        "error_rate": ErrorRateVerdict(
            errors=81,
            requests=30000,
            design_effect=3.2,
            effective_requests=9375,
            lower=0.0019,
            upper=0.0037,
            limit=0.005,
            outcome=Outcome.PASS,
        ),
        "errors_by_kind": {"status": 60, "deadline": 21},
        "first_errors": {"status": f"http 500: {HOSTILE}", "deadline": "no answer in 2 s"},
        "golden": GoldenReport(
            examples=200,
            compared=400,
            disagreements=0,
            unanswered=0,
            other_version=0,
            complete=True,
            top1_agreement=1.0,
            max_deviation=3e-7,
            first_difference=None,
        ),
        "counts": Counts(
            planned=62000,
            sent=62000,
            done=62000,
            errored=81,
            judged=30000,
            by_protocol={"httpBinary": 31000, "grpc": 31000},
            server=ServerCounts(success=61919, failure=81),
            baseline=BaselineCounts(planned=31000, sent=31000, done=31000, errored=0, judged=30000),
        ),
        "generator": GeneratorHealth(
            lag_p99_milliseconds=0.92,
            lag_limit_milliseconds=20.0,
            cpu_share=0.21,
            cpu_microseconds_per_request=105.0,
        ),
        "stopped_early": None,
        "confidence": 0.95,
        "profile": "standard",
        "profile_digest": DIGEST,
        "seed": 20261122,
        "subject": Subject(
            environment="local",
            service="digits",
            revision="digits-2-4f1c9a7e",
            release="2",
            request_digest=DIGEST,
            digests={"release/digits/2": DIGEST},
            attempt=1,
        ),
        "evidence_path": "/evidence/digits/digits-2-4f1c9a7e/20261122T182550.123Z-FAIL.json",
        "started_at": "2026-11-22T18:20:40.000Z",
        "ended_at": "2026-11-22T18:25:50.123Z",
        "judged_seconds": 300.0,
        "fail_confidence": 0.998,
        "comparison": ComparisonVerdict(
            baseline_revision="digits-1-0a1b2c3d",
            why="it serves the users",
            candidate_requests=30000,
            baseline_requests=30000,
            block_seconds=5.0,
            blocks=60,
            resamples=1000,
            quantiles=(
                _ratio("p50", 0.10, 6.6, 6.0, 1.02, 1.06, Outcome.PASS),
                _ratio("p95", 0.15, 14.1, 12.9, 1.01, 1.17, Outcome.INCONCLUSIVE),
            ),
            outcome=Outcome.INCONCLUSIVE,
        ),
        "looks": tuple(_look(seconds, missed) for seconds in (60, 120, 180, 300)),
        "checks": (
            ValidityCheck(name="schedule", state="ok", detail="62000 planned and sent"),
            ValidityCheck(name="lag", state="ok", detail="p99 0.92 ms, limit 20 ms"),
            ValidityCheck(name="workers", state="unknown", detail=""),
        ),
    }
    return Verdict(**(fields | changes))


def _quantile(
    quantile: str,
    slo: float,
    estimate: float,
    over: int,
    effect: float,
    lower: float,
    upper: float,
    outcome: Outcome,
) -> QuantileVerdict:
    return QuantileVerdict(
        quantile=quantile,
        slo_milliseconds=slo,
        estimate_milliseconds=estimate,
        over_slo=over,
        requests=30000,
        design_effect=effect,
        effective_requests=30000 / effect,
        lower_share=lower,
        upper_share=upper,
        allowed_share=1 - float(quantile[1:]) / 100,
        outcome=outcome,
    )


def _ratio(
    quantile: str,
    margin: float,
    candidate: float,
    baseline: float,
    lower: float,
    upper: float,
    outcome: Outcome,
) -> RatioVerdict:
    return RatioVerdict(
        quantile=quantile,
        margin=margin,
        candidate_milliseconds=candidate,
        baseline_milliseconds=baseline,
        ratio=candidate / baseline,
        lower=lower,
        upper=upper,
        outcome=outcome,
    )


def _look(seconds: float, missed: bool) -> LookVerdict:
    last = seconds == 300
    width = (300 / seconds) ** 0.5
    wanted = Outcome.FAIL if last and missed else Outcome.INCONCLUSIVE

    def share(name: str, estimate: float, limit: float, outcome: Outcome) -> ConditionBounds:
        kind = "errorRate" if name == "errorRate" else "slo"
        return ConditionBounds.model_validate(
            {
                "name": name,
                "kind": kind,
                "estimate": estimate,
                "lower": max(0.0, estimate * (1 - 0.3 * width)),
                "upper": estimate * (1 + 0.4 * width),
                "limit": limit,
                "outcome": outcome,
            }
        )

    held = Outcome.PASS if last else Outcome.INCONCLUSIVE
    return LookVerdict(
        seconds=seconds,
        requests=int(seconds * 100),
        confidence=0.998,
        outcome=wanted,
        reason="",
        conditions=(
            share("p50", 0.0013, 0.5, held),
            share("p95", 0.024, 0.05, held),
            share("p99", 0.024, 0.01, wanted),
            share("errorRate", 0.0027, 0.005, held),
            ConditionBounds(
                name="p50",
                kind="comparison",
                estimate=1.04,
                lower=1.04 - 0.02 * width,
                upper=1.04 + 0.02 * width,
                limit=1.1,
                outcome=held,
            ),
            ConditionBounds(
                name="p95",
                kind="comparison",
                estimate=None,
                lower=None,
                upper=None,
                limit=1.15,
                outcome=Outcome.INCONCLUSIVE,
            ),
        ),
    )
