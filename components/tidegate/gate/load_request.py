"""What a load is asked for and what it was like."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.gate.arms import Arm
from tidegate.gate.context import WorkerCounts
from tidegate.gate.profile import Profile
from tidegate.gate.tally import Tally


@dataclass(frozen=True)
class LoadRequest:
    """`rate_factors` by arm; `agreeing` as in WorkerPlan; `watch` is called about every second."""

    run_dir: Path
    profile: Profile
    arms: Sequence[Arm]
    rate_factors: Mapping[int, float]
    agreeing: tuple[int, ...] | None
    workers: int
    confidence: float
    watch: Callable[[], None]


@dataclass(frozen=True)
class LoadResult:
    """What the load was like; its rows are in RUN_DIR/samples.npz."""

    tally: Tally
    planned: int
    first_errors: dict[str, str]
    stopped_early: str | None
    aborted: str | None
    workers: WorkerCounts
    cpu_seconds: float
    cpu_shares: tuple[float, ...]
    wall_seconds: float
    clock_steps_seconds: float
