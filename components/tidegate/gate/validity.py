"""Whether the numbers of a run may be believed at all."""

from dataclasses import dataclass

import numpy as np

from tidegate.gate.profile import Profile
from tidegate.gate.samples import ErrorKind, Samples
from tidegate.gate.verdict import GoldenReport, ServerCounts, Subject

LAG_SHARE_OF_SLO = 0.05
LAG_FLOOR_SECONDS = 0.020
"""A few scheduler slices on a busy machine. Lag is part of the judged latency, so below this it
only makes a release look slower; above it the schedule that was asked for is not what was sent."""
CPU_LIMIT = 0.85
"""Of one core: above it the generator itself queues."""


@dataclass(frozen=True)
class ServerComparison:
    """The server's own count beside the client's, golden answers and warm-up included."""

    counts: ServerCounts | None
    """None when the server's counters could not be read."""
    client_sent: int
    client_answered: int


@dataclass(frozen=True)
class Problem:
    """Why a run proves nothing, and what to mend.

    `only_forbids_pass`: the run cannot show that a release is good, but errors it counted stand.
    """

    reason: str
    mend: str
    only_forbids_pass: bool = False


@dataclass(frozen=True)
class Context:
    """What the samples alone do not say; every part that is None leaves the validity partial."""

    confidence: float | None = None
    """Overrides the profile's, when earlier attempts have spent part of it."""
    planned: int | None = None
    golden: GoldenReport | None = None
    server: ServerComparison | None = None
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    changed_files: tuple[str, ...] | None = None
    refusal: Problem | None = None
    """Why no load was sent at all."""
    stopped_early: str | None = None
    first_errors: tuple[tuple[str, str], ...] = ()
    subject: Subject | None = None
    started_at: str | None = None
    ended_at: str | None = None

    @property
    def complete(self) -> bool:
        parts = (self.planned, self.golden, self.server, self.cpu_seconds, self.changed_files)
        return all(part is not None for part in parts)

    @property
    def cpu_share(self) -> float | None:
        if self.cpu_seconds is None or not self.wall_seconds:
            return None
        return self.cpu_seconds / self.wall_seconds


def lag_limit(profile: Profile) -> float:
    """Seconds: 5% of the tightest SLO, at least LAG_FLOOR_SECONDS."""
    return max(LAG_SHARE_OF_SLO * profile.tightest_slo_seconds, LAG_FLOOR_SECONDS)


def problems_of(samples: Samples, profile: Profile, context: Context) -> list[Problem]:
    """Everything that makes the run invalid, most telling first."""
    if context.refusal is not None:
        return [context.refusal]
    if context.golden is not None and (
        context.golden.disagreements or context.golden.other_version
    ):
        return _subject_problems(context)  # no load was sent, on purpose
    return [
        *_subject_problems(context),
        *_count_problems(samples, context),
        *_generator_problems(samples, profile, context),
        *_server_problems(context.server),
    ]


def _subject_problems(context: Context) -> list[Problem]:
    found = [
        Problem(f"{path} changed during the run", "leave a release's files alone; run again")
        for path in context.changed_files or ()
    ]
    golden = context.golden
    if golden is not None and golden.other_version:
        found.append(
            Problem(
                f"{golden.other_version} of {golden.compared} golden answers came from another "
                f"model or version: {golden.first_difference}",
                "point the gate at the server of this revision",
            )
        )
    if golden is not None and not golden.complete and not golden.other_version:
        found.append(
            Problem(
                f"{golden.unanswered} golden examples were not answered, first: "
                f"{golden.first_difference}",
                "see why the server does not answer, then run again",
                only_forbids_pass=True,
            )
        )
    return found


def _count_problems(samples: Samples, context: Context) -> list[Problem]:
    planned = len(samples) if context.planned is None else context.planned
    sent = ~np.isnan(samples.sent)
    done = ~np.isnan(samples.done)
    sent_count = int(np.count_nonzero(sent))
    if not sent_count:
        return [Problem("no request was sent", "read the runner's log, then run again")]
    found = []
    if planned != sent_count:
        found.append(
            Problem(
                f"{planned} requests were planned and {sent_count} sent",
                "give the generator a quieter machine or a lower rate",
            )
        )
    if (done & ~sent).any():
        found.append(Problem("answers without a request are recorded", "record the run anew"))
    unfinished = np.count_nonzero(sent & ~done & samples.ok) + np.count_nonzero(
        sent & (samples.kind == ErrorKind.UNFINISHED)
    )
    if unfinished:
        found.append(
            Problem(
                f"{unfinished} requests were sent and neither answered nor counted as errors",
                "run again; the generator did not drain",
            )
        )
    if (samples.sent[sent] < samples.intended[sent]).any() or (
        samples.done[done & sent] < samples.sent[done & sent]
    ).any():
        found.append(
            Problem("the clock went backwards during the run", "record on a monotonic clock")
        )
    other = np.count_nonzero(samples.kind == ErrorKind.OTHER_VERSION)
    if other:
        found.append(
            Problem(
                f"{other} answers under load came from another model or version",
                "keep other versions off this server during the run",
            )
        )
    return found


def _generator_problems(samples: Samples, profile: Profile, context: Context) -> list[Problem]:
    found = []
    lag = samples.lag
    limit = lag_limit(profile)
    if lag.size and (p99 := float(np.quantile(lag, 0.99))) > limit:
        found.append(
            Problem(
                f"the generator was late: lag p99 {p99 * 1000:.1f} ms, limit {limit * 1000:.1f} ms",
                "give the generator a quieter machine or a lower rate",
            )
        )
    if context.cpu_share is not None and context.cpu_share >= CPU_LIMIT:
        found.append(
            Problem(
                f"the generator used {context.cpu_share:.0%} of a core, limit {CPU_LIMIT:.0%}",
                "lower the rate",
            )
        )
    return found


def _server_problems(server: ServerComparison | None) -> list[Problem]:
    if server is None:
        return []
    if server.counts is None:
        return [
            Problem(
                "the server's request counters could not be read",
                "check the metrics address",
                only_forbids_pass=True,
            )
        ]
    counts = server.counts
    handled = counts.success + counts.failure
    if counts.success < server.client_answered or handled > server.client_sent:
        return [
            Problem(
                f"the server counted {counts.success} successes and {counts.failure} failures, "
                f"the client sent {server.client_sent} and got {server.client_answered} answers",
                "keep other clients off this server, and see whether it restarted",
            )
        ]
    return []
