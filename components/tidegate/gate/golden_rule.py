"""What the golden answers decide before any load is sent."""

from tidegate.gate.profile import Profile
from tidegate.gate.statistics import lower_bound, upper_bound
from tidegate.gate.verdict import GoldenReport, Outcome


def with_bounds(golden: GoldenReport, confidence: float) -> GoldenReport:
    """The report with Clopper-Pearson bounds of the share of labels that agree."""
    examples = golden.top1_examples
    if not examples:
        return golden
    differing = examples - golden.top1_agreeing
    return golden.model_copy(
        update={
            "top1_lower": 1.0 - upper_bound(differing, examples, confidence),
            "top1_upper": 1.0 - lower_bound(differing, examples, confidence),
        }
    )


def golden_outcome(golden: GoldenReport, profile: Profile, confidence: float) -> Outcome:
    """FAIL: no load need be sent. PASS and INCONCLUSIVE: the load may run.

    Without `min_top1_agreement` any disagreement is FAIL. With it, values beyond tolerance decide
    only through the bound of top-1 agreement, and all other disagreements are FAIL.
    """
    least = profile.min_top1_agreement
    if least is None:
        return Outcome.FAIL if golden.disagreements else Outcome.PASS
    if golden.disagreements > golden.wrong_values:
        return Outcome.FAIL
    bounded = with_bounds(golden, confidence)
    if bounded.top1_lower is None or bounded.top1_upper is None:
        return Outcome.INCONCLUSIVE
    if bounded.top1_upper < least:
        return Outcome.FAIL
    return Outcome.PASS if bounded.top1_lower >= least else Outcome.INCONCLUSIVE
