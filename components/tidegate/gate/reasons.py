"""Why a run ended as it did, and what to do next, in words."""

from tidegate.gate.conditions import RatioCondition, ShareCondition
from tidegate.gate.explaining import (
    condition_words,
    golden_words,
    kind_words,
    needed_time,
    needed_words,
)
from tidegate.gate.findings import Findings
from tidegate.gate.profile import quantile_share
from tidegate.gate.samples import CANDIDATE_ARM
from tidegate.gate.statistics import correlation_measured
from tidegate.gate.tally import Tally
from tidegate.gate.verdict import NeededTime, Outcome


def reasons_of(findings: Findings) -> tuple[list[str], list[str]]:
    """The reasons that decided, and further facts."""
    outcome, context = findings.outcome, findings.context
    parts = _parts(findings)
    problems = [problem.detail for problem in findings.problems]
    facts = _facts(findings)
    early = next(
        (look.reason for look in findings.looks[:-1] if look.outcome is Outcome.FAIL), None
    )
    if findings.golden is Outcome.FAIL and context.golden is not None:
        rest = [words for _, words in parts]
        return [golden_words(context.golden)], [*rest, *facts, *problems]
    if outcome is Outcome.INVALID:
        return problems, [*(words for _, words in parts), *facts]
    deciding = [words for part, words in parts if part is outcome]
    remaining = [words for part, words in parts if part is not outcome]
    if outcome is Outcome.FAIL and early is not None:
        deciding = [early, *deciding]
    if outcome is Outcome.INCONCLUSIVE:
        deciding = [*_undecided(findings), *deciding]
    return deciding, [*remaining, *facts, *problems]


def _parts(findings: Findings) -> list[tuple[Outcome, str]]:
    if findings.conditions is None:
        return []
    found = []
    for part in findings.conditions.all:
        words = condition_words(part, _estimate(findings.tally, part))
        if isinstance(part, ShareCondition) and part.kind == "errorRate":
            kinds = findings.tally.errors_by_kind(CANDIDATE_ARM)
            words += kind_words(kinds, findings.context)
        found.append((part.outcome, words))
    return found


def _undecided(findings: Findings) -> list[str]:
    tally, profile, context = findings.tally, findings.profile, findings.context
    found = []
    if context.aborted is not None:
        found.append(f"the load was ended for the users' sake: {context.aborted}")
    if context.stopped_early is not None:
        found.append(f"the load was stopped early: {context.stopped_early}")
    if context.unfinished is None and not findings.complete:
        found.append(
            f"{tally.judged_seconds:.0f} s were judged and the profile asks for "
            f"{profile.duration_seconds:g} s; before its end nothing passes"
        )
    if findings.golden is Outcome.INCONCLUSIVE and context.golden is not None:
        found.append(
            f"{golden_words(context.golden)}; the profile asks for a top-1 agreement of "
            f"{profile.min_top1_agreement:.2%}"
        )
    return found


def _facts(findings: Findings) -> list[str]:
    found = []
    stopped = findings.context.unfinished
    if stopped is not None and findings.outcome is not Outcome.INCONCLUSIVE:
        found.append(f"the load was stopped early: {stopped}")
    if findings.conditions is not None and not correlation_measured(findings.tally.errors()):
        found.append("the run is too short to measure correlation; requests count as independent")
    unknown = [check.detail for check in findings.checks if check.state == "unknown"]
    if unknown:
        found.append(f"validity is partial; nobody recorded {', '.join(unknown)}")
    return found


def needed_of(findings: Findings) -> list[NeededTime]:
    """How much longer an undecided run would probably have to be, by condition."""
    if findings.outcome is not Outcome.INCONCLUSIVE or findings.conditions is None:
        return []
    tally, profile = findings.tally, findings.profile
    found = needed_time(tally, findings.conditions, profile, findings.levels.to_pass)
    if not findings.complete:
        left = profile.duration_seconds - tally.judged_seconds
        found.insert(0, NeededTime(condition="whole profile", seconds=max(left, 1.0)))
    return found


def mend_of(findings: Findings, needed: list[NeededTime]) -> tuple[str, ...]:
    """What to do next."""
    if findings.outcome is Outcome.INVALID:
        return tuple(problem.mend for problem in findings.problems)
    words = [needed_words(each) for each in needed]
    if findings.outcome is Outcome.INCONCLUSIVE and findings.golden is Outcome.INCONCLUSIVE:
        words.append("the golden set: more examples would decide about top-1 agreement")
    return tuple(words)


def _estimate(tally: Tally, part: ShareCondition | RatioCondition) -> float | None:
    if isinstance(part, RatioCondition) or part.kind != "slo":
        return None
    return tally.latency_quantile(CANDIDATE_ARM, quantile_share(part.name))
