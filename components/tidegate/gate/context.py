"""What a run knows beside its samples."""

from dataclasses import dataclass

from tidegate.gate.verdict import GoldenReport, ServerCounts, Subject


@dataclass(frozen=True)
class ServerComparison:
    """The server's own count beside the client's, golden answers and warm-up included."""

    counts: ServerCounts | None
    """None when the server's counters could not be read."""
    client_sent: int
    client_answered: int
    why_unusable: str | None = None
    """Why the counters say nothing of this run."""


@dataclass(frozen=True)
class BaselineSubject:
    """The revision that the candidate is compared with, and why that one."""

    revision: str
    why: str
    rate_per_second: float | None = None


@dataclass(frozen=True)
class WorkerCounts:
    """Processes that generated load."""

    started: int
    finished: int


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
    """What the samples alone do not say; what is None leaves the validity partial."""

    confidence: float | None = None
    """Overrides the profile's, when earlier attempts have spent part of it."""
    planned: int | None = None
    golden: GoldenReport | None = None
    server: ServerComparison | None = None
    baseline_server: ServerComparison | None = None
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    generator_cpu_shares: tuple[float, ...] | None = None
    """Of one core, one for each process that generated load."""
    changed_files: tuple[str, ...] | None = None
    clock_steps_seconds: float | None = None
    """How far the wall clock and the monotonic clock moved apart at most."""
    server_restarted: bool | None = None
    servers_gone: tuple[str, ...] = ()
    """Of several behind one name, those that left during the run."""
    workers: WorkerCounts | None = None
    baseline: BaselineSubject | None = None
    expected_revisions: tuple[str | None, str | None] = (None, None)
    """The names that answers to the candidate and to the baseline must carry."""
    refusal: Problem | None = None
    """Why no load was sent at all."""
    stopped_early: str | None = None
    aborted: str | None = None
    """Why the load was ended for the sake of users; no PASS."""
    first_errors: tuple[tuple[str, str], ...] = ()
    subject: Subject | None = None
    started_at: str | None = None
    ended_at: str | None = None

    @property
    def cpu_share(self) -> float | None:
        """Of one core, that of the busiest process."""
        if self.generator_cpu_shares:
            return max(self.generator_cpu_shares)
        if self.cpu_seconds is None or not self.wall_seconds:
            return None
        return self.cpu_seconds / self.wall_seconds

    @property
    def unfinished(self) -> str | None:
        """Why the load ended before its schedule."""
        return self.aborted or self.stopped_early
