"""Faults put into runs that would pass: what samples and context then look like."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tests.benchmarks.gate_scenarios import Scenario, make_samples, profile_of
from tidegate.gate.judging import judge
from tidegate.gate.samples import ErrorKind, Samples
from tidegate.gate.validity import Context, ServerComparison, WorkerCounts
from tidegate.gate.verdict import ServerCounts

Generator = np.random.Generator
Fault = Callable[[Samples, Generator], tuple[Samples, Context]]


def promoted(name: str, runs: int) -> Counter[str]:
    """Outcomes of seeded runs with this fault. Without the fault such runs pass."""
    scenario = Scenario("measured", dict.fromkeys(("p50", "p95", "p99"), 2.0), None)
    profile = profile_of(scenario)
    outcomes: Counter[str] = Counter()
    for seed in range(runs):
        generator = np.random.default_rng([seed, len(name)])
        samples, context = FAULTS[name](make_samples(scenario, profile, generator), generator)
        outcomes[judge(samples, profile, context).outcome.value] += 1
    return outcomes


def changed(samples: Samples, rows: Any, **values: Any) -> Samples:
    """The samples with other values in some rows."""
    arrays = {name: getattr(samples, name).copy() for name in values}
    for name, value in values.items():
        arrays[name][rows] = value
    return replace(samples, **arrays)


def moment(samples: Samples, generator: Generator) -> float:
    """A time in the judged part, not in its last tenth."""
    return float(generator.uniform(20.0, 0.9 * samples.intended[-1]))


def between(samples: Samples, start: float, end: float) -> Any:
    return (samples.intended >= start) & (samples.intended < end)


def hung(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    rows = samples.intended > moment(samples, generator)
    return changed(samples, rows, done=np.nan, ok=False, kind=ErrorKind.DEADLINE), Context()


def empty_tensors(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    return changed(samples, slice(None), ok=False, kind=ErrorKind.EMPTY_TENSOR), Context()


def some_wrong_answers(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    rows = generator.random(len(samples)) < 0.01
    return changed(samples, rows, ok=False, kind=ErrorKind.WRONG_VALUE), Context()


def nothing_sent(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    return Samples.empty(), Context(planned=len(samples))


def worker_killed(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    at, mine = moment(samples, generator), generator.integers(4, size=len(samples)) == 0
    kept = samples.where(~(mine & (samples.intended > at)))
    return kept, Context(planned=len(samples), workers=WorkerCounts(started=4, finished=3))


def worker_killed_unnoticed(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    """One of two workers from the first half on, and nobody counted what was planned."""
    at = float(generator.uniform(0.1, 0.5)) * float(samples.intended[-1])
    mine = generator.integers(2, size=len(samples)) == 0
    return samples.where(~(mine & (samples.intended > at))), Context()


def recording_cut_off(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    return samples.where(samples.intended < moment(samples, generator)), Context()


def clock_stepped(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    """Back by half a second to five: what was in flight is done before it was sent."""
    at, step = moment(samples, generator), float(generator.uniform(0.5, 5.0))
    sent = samples.sent - step * (samples.sent > at)
    done = samples.done - step * (samples.done > at)
    return replace(samples, sent=sent, done=done), Context()


def clock_stepped_between(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    return samples, Context(clock_steps_seconds=float(generator.uniform(0.6, 3600.0)))


def server_restarted(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    """Two seconds of refused connections, and counters that begin again."""
    start = moment(samples, generator)
    rows = between(samples, start, start + 2.0)
    broken = changed(samples, rows, ok=False, done=np.nan, kind=ErrorKind.CONNECTION)
    right = int(np.count_nonzero(broken.ok))
    after = int(np.count_nonzero(broken.ok & (broken.intended > start)))
    server = ServerComparison(ServerCounts(success=after, failure=0), len(samples), right)
    return broken, Context(server=server, server_restarted=True)


def server_restarted_quickly(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    return samples, Context(server_restarted=True)


def other_version(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    rows = generator.random(len(samples)) < 0.001
    rows[-1] = True
    return changed(samples, rows, ok=False, kind=ErrorKind.OTHER_VERSION), Context()


def other_revision(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    rows = samples.intended > moment(samples, generator)
    named = replace(samples, revisions=("digits-2-bbbbbbbb", "digits-1-aaaaaaaa"))
    return changed(changed(named, slice(None), revision=0), rows, revision=1), Context()


def short_outage(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    start = moment(samples, generator)
    rows = between(samples, start, start + 1.0)
    return changed(samples, rows, ok=False, kind=ErrorKind.STATUS), Context()


def stalls(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    """Two seconds every twenty: requests due in a stall are done when it ends."""
    within = samples.intended % 20.0
    ends = samples.intended - within + 2.0
    done = np.where(within < 2.0, np.maximum(samples.done, ends), samples.done)
    return replace(samples, done=done), Context()


def growing_slower(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    """Four times slower at the end than at the start."""
    factor = 1.0 + 3.0 * samples.intended / samples.intended[-1]
    return replace(samples, done=samples.sent + (samples.done - samples.sent) * factor), Context()


def late_generator(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    late = generator.exponential(0.05, len(samples))
    return replace(samples, sent=samples.sent + late, done=samples.done + late), Context()


def busy_generator(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    return samples, Context(generator_cpu_shares=(0.5, float(generator.uniform(0.86, 1.0))))


def recorded_twice(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    rows = generator.random(len(samples)) < 0.01
    rows[0] = True
    return Samples.concatenate([samples, samples.where(rows)]), Context()


def never_drained(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    rows = generator.random(len(samples)) < 0.0005
    rows[-1] = True
    return changed(samples, rows, done=np.nan), Context()


def other_clients(samples: Samples, generator: Generator) -> tuple[Samples, Context]:
    more = int(generator.integers(1, 1000))
    counts = ServerCounts(success=len(samples) + more, failure=0)
    return samples, Context(server=ServerComparison(counts, len(samples), len(samples)))


FAULTS: Mapping[str, Fault] = {
    fault.__name__: fault
    for fault in (
        hung,
        empty_tensors,
        some_wrong_answers,
        nothing_sent,
        worker_killed,
        worker_killed_unnoticed,
        recording_cut_off,
        clock_stepped,
        clock_stepped_between,
        server_restarted,
        server_restarted_quickly,
        other_version,
        other_revision,
        short_outage,
        stalls,
        growing_slower,
        late_generator,
        busy_generator,
        recorded_twice,
        never_drained,
        other_clients,
    )
}
