"""Writes the report of a finished run again."""

from pathlib import Path

from tidegate.gate.report import write_report
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Verdict
from tidegate.spec.errors import SpecError


def rewrite_report(run_dir: Path) -> Path:
    """The report of the run in `run_dir`, from its request, verdict and samples.

    Raises SpecError when the run has no verdict, or its files do not fit each other.
    """
    if not (run_dir / "verdict.json").exists():
        raise SpecError(
            "run folder",
            str(run_dir),
            "it holds no verdict.json",
            "the folder of a gate that ended with a verdict",
        )
    verdict = Verdict.load(run_dir / "verdict.json")
    profile = GateRequest.load(run_dir / "request.json").profile
    if profile.digest != verdict.profile_digest:
        raise SpecError(
            "request.json",
            profile.digest,
            f"the verdict beside it was reached under profile {verdict.profile_digest}",
            "the request of this run",
        )
    return write_report(run_dir, verdict, profile)
