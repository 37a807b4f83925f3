"""What a run recorded beside its samples that says whether they may be believed."""

from collections.abc import Iterator

from tidegate.gate.check import Check
from tidegate.gate.context import Context, ServerComparison

CPU_LIMIT = 0.85
"""Of one core: above it the generator itself queues."""
CLOCK_STEP_LIMIT_SECONDS = 0.5


def input_checks(context: Context) -> Iterator[Check]:
    """Whether the right thing was tested at all."""
    yield from _refusal(context)
    yield _files(context)
    yield _golden(context)


def machine_checks(context: Context) -> Iterator[Check]:
    """Whether generator and server held still."""
    yield _clock(context)
    yield _workers(context)
    yield _restart(context)
    yield _cpu(context)
    yield _counted("server", "the server", context.server)
    if context.baseline_server is not None:
        yield _counted("baselineServer", "the baseline's server", context.baseline_server)


def _refusal(context: Context) -> Iterator[Check]:
    if context.refusal is not None:
        yield Check("input", "violated", context.refusal.reason, context.refusal.mend)


def _files(context: Context) -> Check:
    if context.changed_files is None:
        return Check.unknown("files", "whether the release's files changed")
    if context.changed_files:
        return Check(
            "files",
            "violated",
            f"{', '.join(context.changed_files)} changed during the run",
            "leave a release's files alone; run again",
        )
    return Check("files", "ok", "the release's files are the same before and after")


def _golden(context: Context) -> Check:
    golden = context.golden
    if golden is None:
        return Check.unknown("golden", "whether the golden answers are right")
    if golden.other_version:
        return Check(
            "golden",
            "violated",
            f"{golden.other_version} of {golden.compared} golden answers came from another model "
            f"or version: {golden.first_difference}",
            "point the gate at the server of this revision",
        )
    if not golden.complete:
        return Check(
            "golden",
            "violated",
            f"{golden.unanswered} golden examples were not answered, first: "
            f"{golden.first_difference}",
            "see why the server does not answer, then run again",
            only_forbids_pass=True,
        )
    return Check("golden", "ok", f"{golden.compared} golden answers were compared")


def _clock(context: Context) -> Check:
    step = context.clock_steps_seconds
    if step is None:
        return Check.unknown("clock", "whether the clock was set")
    if step > CLOCK_STEP_LIMIT_SECONDS:
        return Check(
            "clock",
            "violated",
            f"the machine's clock was set by {step:.1f} s, or the machine slept",
            "keep clock and machine steady during a run",
        )
    return Check("clock", "ok", f"the clocks moved apart by at most {step * 1000:.0f} ms")


def _workers(context: Context) -> Check:
    workers = context.workers
    if workers is None:
        return Check.unknown("workers", "whether every generator process came to its end")
    if workers.finished != workers.started:
        return Check(
            "workers",
            "violated",
            f"{workers.started - workers.finished} of {workers.started} generator processes ended "
            "before their schedule",
            "see the runner's log; run again",
        )
    return Check("workers", "ok", f"{workers.finished} of {workers.started} processes finished")


def _restart(context: Context) -> Check:
    if context.server_restarted is None:
        return Check.unknown("restart", "whether the server was started anew")
    if context.server_restarted:
        return Check(
            "restart",
            "violated",
            "the server was started anew during the run",
            "see why it restarted, then run again",
            only_forbids_pass=True,
        )
    if context.servers_gone:
        return Check(
            "restart",
            "violated",
            f"{', '.join(context.servers_gone)} went during the run",
            "see why it went, then run again",
            only_forbids_pass=True,
        )
    return Check("restart", "ok", "the server is the one that was there at the start")


def _cpu(context: Context) -> Check:
    share = context.cpu_share
    if share is None:
        return Check.unknown("cpu", "how busy the generator was")
    words = f"the generator used {share:.0%} of a core, limit {CPU_LIMIT:.0%}"
    if share >= CPU_LIMIT:
        return Check("cpu", "violated", words, "lower the rate")
    return Check("cpu", "ok", words)


def _counted(name: str, who: str, server: ServerComparison | None) -> Check:
    if server is None:
        return Check.unknown(name, f"what {who} counted")
    if server.why_unusable is not None:
        return Check.unknown(name, f"all that {who} counted ({server.why_unusable})")
    if server.counts is None:
        return Check(
            name,
            "violated",
            f"{who}'s request counters could not be read",
            "check the metrics address",
            only_forbids_pass=True,
        )
    counts = server.counts
    handled = counts.success + counts.failure
    words = (
        f"{who} counted {counts.success} successes and {counts.failure} failures, "
        f"the client sent {server.client_sent} and got {server.client_answered} answers"
    )
    if counts.success < server.client_answered or handled > server.client_sent:
        return Check(
            name,
            "violated",
            words,
            "keep other clients off this server, and see whether it restarted",
        )
    return Check(name, "ok", words)
