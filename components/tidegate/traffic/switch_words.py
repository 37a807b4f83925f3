"""Sentences about a switch for people."""

from collections.abc import Mapping

from tidegate.traffic.switch_documents import (
    ConditionRecord,
    JudgementRecord,
    StageProgress,
    SwitchProgress,
    SwitchRequest,
)


def weights_in_words(weights: Mapping[str, int]) -> str:
    """ "5% to digits-2-…, 95% to digits-1-…", without those that take nothing."""
    taking = sorted(weights.items(), key=lambda each: -each[1])
    return ", ".join(f"{weight}% to {revision}" for revision, weight in taking if weight > 0)


def run_in_words(request: SwitchRequest, progress: SwitchProgress | None) -> str:
    """A switch that is under way: which one, where to, and how far it is."""
    words = f"run {request.run} to {request.to_revision}"
    return f"{words}: {progress.message}" if progress is not None else f"{words} begins"


def stage_in_words(stage: StageProgress, candidate: str) -> str:
    """Where the switch is and how long this stage still takes."""
    what = "bake of" if stage.kind == "bake" else f"{stage.weights.get(candidate, 0)}% to"
    place = f"step {stage.index} of {stage.of}, {what} {candidate}"
    if stage.kind == "final":
        return place
    left = stage.minimum_seconds - stage.seconds_in
    if left > 0:
        return f"{place}: {left:.0f} s left"
    limit = max(0.0, stage.limit_seconds - stage.seconds_in)
    return f"{place}: {stage.seconds_in:.0f} s, turns back in {limit:.0f} s unless it is shown good"


def judgement_in_words(judgement: JudgementRecord) -> str:
    """Requests, errors and bounds so far."""
    parts = [
        f"{judgement.candidate_requests} requests with {judgement.candidate_errors} errors, "
        f"former {judgement.reference_requests} with {judgement.reference_errors}"
    ]
    parts += [condition_in_words(each) for each in judgement.conditions]
    return "; ".join(parts)


def condition_in_words(condition: ConditionRecord) -> str:
    """ "error rate +0.10% (-0.05% to +0.40%, limit +1.00%)", "p95 x1.02 (…)"."""
    show = _share if condition.name == "errorRate" else _ratio
    name = "error rate" if condition.name == "errorRate" else condition.name
    lower, upper = show(condition.lower), show(condition.upper)
    return f"{name} {show(condition.estimate)} ({lower} to {upper}, limit {show(condition.limit)})"


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:+.2%}"


def _ratio(value: float | None) -> str:
    return "?" if value is None else f"x{value:.2f}"
