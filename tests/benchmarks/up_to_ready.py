"""What the platform adds to the start of its servers."""

import statistics
from datetime import datetime

from tests.benchmarks.figure import Measurement, spread
from tests.benchmarks.no_change_up import no_change_seconds
from tests.benchmarks.servers_by_hand import ServersByHand
from tests.benchmarks.stacks import say, temporary_folder, temporary_project
from tests.benchmarks.stopwatch import finished
from tests.engine.harness.project import UNDECIDED, UNDECIDED_RETRIES, Project
from tests.engine.harness.releases import SERVICE
from tests.engine.harness.toolchain_environment import REPOSITORY
from tidegate.gate.journal import read_events

ROUNDS = 5
GOAL_RATIO = 1.5
RELEASES = ("1", "2")


def measure_up_to_ready() -> Measurement:
    """Median over rounds of (first up - gate - no-change up) / servers by hand."""
    own, by_hand, gates = [], [], []
    with temporary_folder() as folder:
        servers = ServersByHand(folder / "s", REPOSITORY / "serving", SERVICE, RELEASES)
        servers.seconds_to_ready()  # the first start reads the programs from disk
        for number in range(ROUNDS):
            by_hand.append(servers.seconds_to_ready())
            seconds, gate = _decided_first_up()
            own.append(seconds)
            gates.append(gate)
            say(f"  round {number + 1} of {ROUNDS}: {own[-1]:.2f} s, by hand {by_hand[-1]:.2f} s")
    ratios = [mine / reference for mine, reference in zip(own, by_hand, strict=True)]
    ratio = statistics.median(ratios)
    return Measurement(
        value=ratio,
        unit="times the servers started by hand",
        goal=f"<= {GOAL_RATIO}",
        met=ratio <= GOAL_RATIO,
        reference="2 Tritons and 1 Envoy with the same command lines, started all at once",
        runs=ratios,
        detail={
            "ratio": spread(ratios),
            "upSeconds": spread(own),
            "byHandSeconds": spread(by_hand),
            "gateSeconds": spread(gates),
            "subtracted": "gate from its journal's first event to the verdict; a no-change up",
        },
    )


def _decided_first_up() -> tuple[float, float]:
    """As `_first_up`; a stack whose gate decided nothing is taken down and begun anew."""
    for _ in range(UNDECIDED_RETRIES):
        measured = _first_up()
        if measured is not None:
            return measured
        say("  the gate decided nothing; again")
    raise AssertionError("no gate decided; the machine is too busy to measure")


def _first_up() -> tuple[float, float] | None:
    """Seconds from nothing to ready, and of the gate that was subtracted.

    None when the gate decided nothing.
    """
    with temporary_project() as project:
        project.declare_digits(RELEASES[0], standby=RELEASES[1])
        run = finished(project.start_up())
        if UNDECIDED in run.output:
            return None
        assert run.succeeded, run.output
        gate = _gate_seconds(project)
        return run.seconds - gate - no_change_seconds(project), gate


def _gate_seconds(project: Project) -> float:
    run = project.local.gates.latest(project.revision(RELEASES[0]))
    assert run is not None
    events, _ = read_events(run.folder / "journal.jsonl")
    # The first is "queued" when another stack's gate had the machine.
    times = [datetime.fromisoformat(event["at"]) for event in events]
    return (times[-1] - times[0]).total_seconds()
