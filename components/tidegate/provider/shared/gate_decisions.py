"""What a gate's verdict means for its revision, and why it takes no traffic, in words."""

from collections.abc import Sequence
from typing import Protocol

from tidegate.gate.verdict import Outcome
from tidegate.provider.shared.gate_inputs import LoadTestGateInputs
from tidegate.spec.release import Release


class Decided(Protocol):
    """As much of a verdict as decides and is shown."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def summary(self) -> str: ...
    @property
    def reasons(self) -> Sequence[str]: ...
    @property
    def mend(self) -> Sequence[str]: ...
    @property
    def evidence_path(self) -> str | None: ...
    @property
    def report_path(self) -> str | None: ...


def may_run_again(outcome: Outcome | None, retry: str | None, used: str | None) -> bool:
    """A FAIL stands until the user gives a reason that this verdict has not already used up.

    `outcome` is None without a verdict; `used` is the reason for which its run began.
    """
    if outcome is Outcome.FAIL:
        return retry is not None and retry != used
    return outcome is not Outcome.PASS


def refusal(inputs: LoadTestGateInputs, verdict: Decided) -> str:
    """Why the release takes no traffic, and what to do about it."""
    lines = [f"{inputs.service}@{inputs.release} takes no traffic. {verdict.summary}"]
    lines += [f"- {reason}" for reason in verdict.reasons]
    lines += [f"- {each}" for each in verdict.mend]
    if verdict.evidence_path:
        lines.append(f"Evidence: {verdict.evidence_path}")
    if verdict.report_path:
        lines.append(f"Report: {verdict.report_path}")
    if verdict.outcome is Outcome.FAIL:
        lines.append(
            "This verdict stands for this revision. Publish a better release, or, when the cause "
            f"was not the release, set `retry: <reason>` under tidegate:services.{inputs.service} "
            "and run `pulumi up` again."
        )
    else:
        lines.append("Nothing was decided: the next `pulumi up` runs the gate again.")
    return "\n".join(lines)


def subject_digests(release: Release) -> dict[str, str]:
    """What the evidence is about: the release, its golden set and every file of its models."""
    name = f"{release.service}/{release.release}"
    return {
        f"release/{name}": release.digest,
        f"golden/{name}": release.golden.sha256,
        **{f"model/{name}/{path}": digest for path, digest in release.repository.files.items()},
    }
