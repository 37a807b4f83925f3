"""Why traffic does not move, in the words that the user reads."""

from tidegate.traffic.switch_documents import Ending, Override, SwitchOutcome
from tidegate.traffic.switch_words import condition_in_words


def overridden(override: Override, revision: str, stack_file: str) -> str:
    """The stack file declares another revision than the one that somebody moved to by hand."""
    return (
        f"{stack_file}: tidegate:services.{override.service}.release: {revision!r} cannot work: "
        f"{override.by} moved the traffic of {override.service} to {override.revision} at "
        f"{override.at} (`tidegate rollback --now`), and this update would move it back. Instead: "
        f"declare the release of that revision; `tidegate rollback {override.service}` edits the "
        "file."
    )


def not_advanced(outcome: SwitchOutcome) -> str:
    """A switch that ended without moving the traffic for good."""
    lines = [f"{outcome.to_revision} does not take the traffic: {outcome.reason}."]
    lines.append(
        f"- step {outcome.stage} of {outcome.of}; {outcome.candidate_requests} requests of users "
        f"met it, {outcome.candidate_errors} of them failed"
    )
    if outcome.judgement is not None:
        lines += [f"- {condition_in_words(each)}" for each in outcome.judgement.conditions]
    if outcome.drained is not None and outcome.drained.open_requests:
        left = ", ".join(f"{name} {n}" for name, n in outcome.drained.open_requests.items())
        lines.append(f"- still open there after {outcome.drained.seconds:g} s: {left}")
    if outcome.ending is Ending.SUPERSEDED:
        return "\n".join(lines)
    if outcome.from_revision == outcome.to_revision:
        lines.append(f"The routes of {outcome.service} are what they were before.")
    else:
        lines.append(f"{outcome.from_revision} takes all traffic of {outcome.service} again.")
    if outcome.was_shown:
        lines.append(
            "This stands for this revision. Publish a better release, or, when the cause was not "
            f"the release, set `retry: <reason>` under tidegate:services.{outcome.service} and run "
            "`pulumi up` again."
        )
    else:
        lines.append("Nothing was shown against it: the next `pulumi up` tries again.")
    return "\n".join(lines)
