"""`tidegate gate saturation`: its options, its process, and its verdict in words."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tidegate.gate.refusal import refuse
from tidegate.gate.run_options import BaselineOptions, RunOptions, request_of
from tidegate.gate.runner import EXIT_ERROR
from tidegate.gate.saturation_plan import SaturationPlan, SaturationRequest, SaturationVerdict
from tidegate.gate.verdict import Outcome
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Tolerance

_DEFAULTS = SaturationPlan()


def saturation(
    target: Annotated[str, typer.Option(help="The candidate: http://127.0.0.1:8000")],
    baseline: Annotated[str, typer.Option(help="The server to compare with: http://host:port")],
    out: Annotated[Path, typer.Option(help="New folder for request.json and saturation.json.")],
    golden: Annotated[
        Path | None,
        typer.Option(help="Golden set (.npz); without, the candidate's first answers."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name; without, the server's only one.")] = None,
    model_version: Annotated[
        str | None, typer.Option(help="The candidate's; without, the newest.")
    ] = None,
    baseline_version: Annotated[
        str | None, typer.Option(help="The baseline's; without, the newest.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="How often both climb.")] = _DEFAULTS.rounds,
    margin: Annotated[
        float, typer.Option(help="Share by which the candidate may saturate earlier.")
    ] = _DEFAULTS.margin,
    step: Annotated[
        float, typer.Option(help="Factor between neighbouring rates.")
    ] = _DEFAULTS.step,
    p95_limit: Annotated[
        float, typer.Option(help="Milliseconds; a p95 above it is saturated too.")
    ] = _DEFAULTS.p95_milliseconds,
    probe_seconds: Annotated[
        float, typer.Option(help="Length of one probe.")
    ] = _DEFAULTS.probe_seconds,
    start_rate: Annotated[
        float, typer.Option(help="Requests per second that both surely take.")
    ] = _DEFAULTS.start_rate,
    max_rate: Annotated[
        float, typer.Option(help="Requests per second never exceeded.")
    ] = _DEFAULTS.max_rate,
    max_requests: Annotated[
        int, typer.Option(help="Of all probes together.")
    ] = _DEFAULTS.max_requests,
    max_seconds: Annotated[
        float, typer.Option(help="For all probes together.")
    ] = _DEFAULTS.max_seconds,
    absolute_tolerance: Annotated[float, typer.Option(min=0.0)] = 1e-5,
    relative_tolerance: Annotated[float, typer.Option(min=0.0)] = 1e-4,
    json: Annotated[bool, typer.Option("--json", help="Print the whole verdict.")] = False,
) -> None:
    """Compare the rates at which two servers on this machine saturate.

    Both are probed in turn at the same rates until they no longer keep up, in several rounds. The
    ratio of their saturation rates passes when it is shown to lie above 1 - margin. This overloads
    both servers: never point it at one that serves users.
    """
    errors = Console(stderr=True)
    try:
        plan = SaturationPlan.parse(
            {
                "rounds": rounds,
                "margin": margin,
                "step": step,
                "p95_milliseconds": p95_limit,
                "probe_seconds": probe_seconds,
                "start_rate": start_rate,
                "max_rate": max_rate,
                "max_requests": max_requests,
                "max_seconds": max_seconds,
            },
            "plan",
        )
        gate = request_of(
            RunOptions(
                profile=plan.profile(start_rate),
                target=target,
                golden=golden,
                model=model,
                model_version=model_version,
                out=out,
                tolerance=Tolerance(absolute=absolute_tolerance, relative=relative_tolerance),
                baseline=BaselineOptions(
                    target=baseline,
                    model_version=baseline_version,
                    why="named on the command line",
                ),
            )
        )
        out.mkdir(parents=True, exist_ok=True)
        SaturationRequest(gate=gate, plan=plan).write(out / "request.json")
    except (SpecError, OSError) as error:
        refuse(errors, error)
    code = _run_in_child(out, errors)
    if code <= Outcome.INVALID.exit_code:
        verdict = SaturationVerdict.load(out / "saturation.json")
        typer.echo(verdict.to_json() if json else _in_words(verdict), nl=not json)
    raise typer.Exit(code)


def _run_in_child(out: Path, console: Console) -> int:
    """Measure in a process of its own and show its words; its exit code.

    A keyboard interrupt ends it without a verdict.
    """
    with (out / "runner.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tidegate.gate.saturation_run", str(out)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    while True:
        try:
            for line in child.stdout or ():
                console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)
            code = child.wait()
            break
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
    # A verdict's code without a verdict is a process that broke down.
    decided = (out / "saturation.json").exists()
    return code if code > Outcome.INVALID.exit_code or (decided and code >= 0) else EXIT_ERROR


def _in_words(verdict: SaturationVerdict) -> str:
    words = f"{verdict.outcome}: {verdict.summary}"
    return words if verdict.mend is None else f"{words}\n  to do: {verdict.mend}"
