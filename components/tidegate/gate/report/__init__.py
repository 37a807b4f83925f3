"""The report of a gate: one HTML page that needs nothing else, and a Markdown summary."""

from pathlib import Path

from tidegate.gate.profile import Profile
from tidegate.gate.verdict import Verdict

REPORT_NAME = "report.html"
SUMMARY_NAME = "summary.md"
SAMPLES_NAME = "samples.npz"


def write_report(run_dir: Path, verdict: Verdict, profile: Profile) -> Path:
    """Write report.html and summary.md into `run_dir` and return the page's path.

    The figures come from samples.npz in `run_dir`, read once in slices, and are left out when
    there is none. Raises SpecError when the samples cannot be read, OSError when the page cannot
    be written.
    """
    # Loaded on use: drawing needs matplotlib, and a provider only reads verdicts.
    from tidegate.gate.markdown import markdown_summary
    from tidegate.gate.report.page import page_of
    from tidegate.gate.report.picture import picture_of
    from tidegate.gate.sample_file import read_chunks

    (run_dir / SUMMARY_NAME).write_text(markdown_summary(verdict), encoding="utf-8")
    samples = run_dir / SAMPLES_NAME
    picture = None
    if samples.exists():
        picture = picture_of(read_chunks(samples), profile.warm_up_seconds)
    path = run_dir / REPORT_NAME
    path.write_text(page_of(verdict, profile, picture), encoding="utf-8")
    return path


def with_report(run_dir: Path, verdict: Verdict, profile: Profile) -> Verdict:
    """Write the report and return the verdict with its path, or with why there is none.

    Never raises: a verdict that was reached stands with or without a page about it.
    """
    try:
        path = write_report(run_dir, verdict, profile)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        return verdict.model_copy(update={"report_problem": problem})
    return verdict.model_copy(update={"report_path": str(path)})
