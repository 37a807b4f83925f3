"""The process that measures saturation: `python -m tidegate.gate.saturation_run OUT`.

It reads request.json there and leaves saturation.json. Progress is one line of words each on
standard output. Exit codes 0 to 3 are the verdict's; 4 means interrupted, 5 an error. Importing
this module imports Locust, which patches the process.
"""

import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np

from tidegate.gate.arms import Arm, arms_of
from tidegate.gate.checking import ArmChecker, Revisions
from tidegate.gate.clock import utc_now
from tidegate.gate.generator import generate
from tidegate.gate.golden_check import check_golden
from tidegate.gate.load_plan import LoadArm, LoadPlan
from tidegate.gate.locking import GateTurn
from tidegate.gate.preflight import preflight
from tidegate.gate.records import ROW, samples_of
from tidegate.gate.runner import EXIT_ERROR, EXIT_STOPPED
from tidegate.gate.sample_checks import lag_limit
from tidegate.gate.samples import CANDIDATE_ARM, Samples
from tidegate.gate.saturation import decide, probe_of
from tidegate.gate.saturation_plan import Probe, SaturationRequest, SaturationVerdict, SideName
from tidegate.gate.saturation_search import SIDES, Measurement, StoppedError, measure
from tidegate.gate.schedule import segments
from tidegate.gate.worker import allow_many_connections, go_first
from tidegate.spec.errors import SpecError

_TRIES = 3
_MOST_CPU_SHARE = 0.85
_START_DELAY_SECONDS = 0.1
_POLL_SECONDS = 0.5


def main(arguments: list[str]) -> int:
    """Measure what the folder named by the only argument asks for."""
    out = Path(arguments[0])
    try:
        request = SaturationRequest.load(out / "request.json")
        turn = GateTurn(Path(request.gate.lock_path), request.gate.revision)
        _wait_for(turn)
        try:
            verdict = _verdict(request)
        finally:
            turn.give_back()
        verdict.write(out / "saturation.json")
    except KeyboardInterrupt:
        return EXIT_STOPPED
    except (SpecError, OSError) as error:
        _say(f"error: {error}")
        return EXIT_ERROR
    except Exception as error:
        # Python's own exit code for a traceback, 1, would read as FAIL.
        traceback.print_exc()
        _say(f"internal error: {type(error).__name__}: {error}")
        return EXIT_ERROR
    return verdict.outcome.exit_code


def _wait_for(turn: GateTurn) -> None:
    if turn.take():
        return
    holder = turn.holder()
    _say(f"waiting: the gate of {holder['revision'] if holder else 'another revision'} is running")
    while not turn.take():
        time.sleep(_POLL_SECONDS)


def _measure(request: SaturationRequest) -> Measurement:
    try:
        prober = _Prober(request)
    except StoppedError as stop:
        return Measurement(stopped=stop)
    try:
        return measure(request.plan, prober.probe)
    finally:
        prober.close()


def _verdict(request: SaturationRequest) -> SaturationVerdict:
    started_at = utc_now()
    found = _measure(request)
    decision = decide(found, request.plan)
    ratio = decision.ratio
    return SaturationVerdict(
        outcome=decision.outcome,
        summary=decision.summary,
        mend=decision.mend,
        ratio=None if ratio is None else ratio.ratio,
        lower=None if ratio is None else ratio.lower,
        upper=None if ratio is None else ratio.upper,
        rounds=tuple(found.rounds),
        probes=tuple(found.probes),
        plan=request.plan,
        candidate=request.gate.revision,
        baseline=request.baseline.revision,
        request_digest=request.digest,
        started_at=started_at,
        ended_at=utc_now(),
    )


class _Prober:
    """Sends probes to both arms, after their golden answers were found right."""

    def __init__(self, request: SaturationRequest) -> None:
        allow_many_connections()
        go_first()
        self._plan = request.plan
        arms = arms_of(request.gate)
        problem = preflight(arms)
        if problem is not None:
            raise StoppedError(problem.reason, problem.mend, believable=False)
        self._arms = dict(zip(SIDES, arms, strict=True))
        self._loads = {side: _load_arm(arm) for side, arm in self._arms.items()}
        try:
            for side in SIDES:
                self._check_golden(side)
        except StoppedError:
            self.close()
            raise

    def close(self) -> None:
        for load in self._loads.values():
            for protocol in load.protocols.values():
                protocol.close()

    def probe(self, number: int, side: SideName, rate: float) -> Probe:
        """One probe, again while the generator itself was late."""
        plan, requests = self._plan, 0
        for _ in range(_TRIES):
            samples, planned, late = self._send(side, rate)
            requests += planned
            if late is None:
                found = probe_of(samples, planned, plan, number, side, rate)
                _say(_words(found, plan.rounds))
                return found.model_copy(update={"requests": requests})
            _say(f"again: {late}")
        raise StoppedError(
            f"{late}, in {_TRIES} probes at {rate:.1f}/s",
            "a machine with less other work, or a lower --max-rate",
            believable=False,
        )

    def _send(self, side: SideName, rate: float) -> tuple[Samples, int, str | None]:
        """Settled requests, how many were planned, and why the generator cannot be believed."""
        arm, profile = self._arms[side], self._plan.profile(rate)
        # Each arm is sent as the candidate: both get the same requests at the same moments.
        plan = replace(arm.plan(), arm=CANDIDATE_ARM)
        pieces = list(segments(profile, [plan], arm.golden.count))
        cpu, wall = time.process_time(), time.perf_counter()
        walk = generate(
            LoadPlan(
                schedule=iter(pieces),
                arms={CANDIDATE_ARM: self._loads[side]},
                deadline_seconds=profile.deadline_seconds,
                origin=wall + _START_DELAY_SECONDS,
            ),
            lambda _: None,
        )
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        samples = samples_of(np.concatenate([np.empty(0, ROW), *walk.take_settled()]))
        lag, limit = samples.lag, lag_limit(profile)
        late = None
        if share >= _MOST_CPU_SHARE:
            late = f"the generator used {share:.0%} of a core"
        elif lag.size and float(np.quantile(lag, 0.99)) > limit:
            late = f"the generator was late by more than {limit * 1000.0:.0f} ms"
        return samples, sum(len(piece) for piece in pieces), late

    def _check_golden(self, side: SideName) -> None:
        arm, protocols = self._arms[side], list(self._loads[side].protocols.values())
        report = check_golden(
            protocols, arm.checker(), arm.golden.count, self._plan.deadline_seconds, lambda: False
        ).report
        wrong = report.disagreements + report.other_version
        if wrong or not report.complete:
            raise StoppedError(
                f"the {side} answered {wrong} golden examples wrongly and {report.unanswered} not "
                f"at all; first: {report.first_difference}",
                "servers that answer rightly before any load",
                believable=False,
            )


def _load_arm(arm: Arm) -> LoadArm:
    checker = ArmChecker(arm.checker(), arm.revision, Revisions())
    return LoadArm({int(protocol.code): protocol for protocol in arm.protocols()}, checker)


def _words(probe: Probe, rounds: int) -> str:
    p95 = "failed" if probe.p95_milliseconds is None else f"{probe.p95_milliseconds:.1f} ms"
    where = f"round {probe.round} of {rounds}" if probe.round else "search"
    end = ": saturated" if probe.saturated else ""
    return (
        f"{where}: {probe.arm} at {probe.rate_per_second:.1f}/s, "
        f"{probe.achieved_per_second:.1f}/s answered, p95 {p95}{end}"
    )


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
