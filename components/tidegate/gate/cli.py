"""`tidegate gate`: run a load test, or judge recorded samples. Exit codes are the verdict's."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tidegate.gate.follow import run_in_child
from tidegate.gate.judging import judge_file
from tidegate.gate.profile import load_profile
from tidegate.gate.refusal import refuse
from tidegate.gate.report.rewriting import rewrite_report
from tidegate.gate.request import ApiKey, Tls
from tidegate.gate.run_options import BaselineOptions, RunOptions, request_of
from tidegate.gate.saturation_cli import saturation
from tidegate.gate.terminal import LiveView, print_verdict
from tidegate.gate.verdict import Outcome, Verdict
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Tolerance

app = typer.Typer(
    help="Load-test gates. Exit codes: 0 PASS, 1 FAIL, 2 INCONCLUSIVE or wrong usage, "
    "3 INVALID or bad input, "
    "4 cancelled, 5 error of the runner.",
    no_args_is_help=True,
)
app.command()(saturation)


ProfileOption = Annotated[Path, typer.Option("--profile", help="Profile as a YAML file.")]


@app.command()
def run(
    profile: ProfileOption,
    target: Annotated[str, typer.Option(help="KServe v2 over HTTP: http://127.0.0.1:8000")],
    out: Annotated[Path, typer.Option(help="New folder for journal, samples, report, verdict.")],
    golden: Annotated[
        Path | None,
        typer.Option(help="Golden set (.npz); without, the server's first answers."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name; without, the server's only one.")] = None,
    model_version: Annotated[
        str | None, typer.Option(help="Version every answer must come from; without, the newest.")
    ] = None,
    grpc_target: Annotated[str | None, typer.Option(help="gRPC as host:port.")] = None,
    grpc_streaming: Annotated[bool, typer.Option(help="Send streaming gRPC as well.")] = False,
    metrics_target: Annotated[
        str | None, typer.Option(help="Triton's metrics as host:port.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Compare with the revision served here: http://host:port")
    ] = None,
    baseline_grpc_target: Annotated[str | None, typer.Option()] = None,
    baseline_metrics_target: Annotated[str | None, typer.Option()] = None,
    baseline_revision: Annotated[str | None, typer.Option(help="Its name in the verdict.")] = None,
    baseline_version: Annotated[str | None, typer.Option(help="Its model version.")] = None,
    baseline_golden: Annotated[Path | None, typer.Option(help="Its own golden set.")] = None,
    baseline_max_rate: Annotated[
        float | None, typer.Option(help="Requests per second it gets at most.")
    ] = None,
    why: Annotated[
        str, typer.Option(help="Why this baseline; recorded.")
    ] = "named on the command line",
    ca_file: Annotated[Path | None, typer.Option(help="Authority of an https target.")] = None,
    server_name: Annotated[str | None, typer.Option(help="Name in its certificate.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the API key.")
    ] = None,
    api_key_file: Annotated[Path | None, typer.Option(help="File that holds it.")] = None,
    api_key_header: Annotated[str, typer.Option()] = "authorization",
    api_key_prefix: Annotated[str, typer.Option(help='Before the key, such as "Bearer ".')] = "",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Generator processes; without, by the rate.")
    ] = None,
    evidence: Annotated[
        str | None, typer.Option(help="Folder or bucket URL; without, OUT/evidence.")
    ] = None,
    absolute_tolerance: Annotated[float, typer.Option(min=0.0)] = 1e-5,
    relative_tolerance: Annotated[float, typer.Option(min=0.0)] = 1e-4,
) -> None:
    """Send a profile's load to a server on this machine and decide about it."""
    console = Console(stderr=True)
    try:
        request = request_of(
            RunOptions(
                profile=load_profile(profile),
                target=target,
                golden=golden,
                model=model,
                model_version=model_version,
                out=out,
                grpc_target=grpc_target,
                metrics_target=metrics_target,
                tolerance=Tolerance(absolute=absolute_tolerance, relative=relative_tolerance),
                evidence=evidence,
                tls=_tls(target, ca_file, server_name),
                api_key=_api_key(api_key_header, api_key_prefix, api_key_env, api_key_file),
                grpc_streaming=grpc_streaming,
                workers=workers,
                baseline=None
                if baseline is None
                else BaselineOptions(
                    target=baseline,
                    grpc_target=baseline_grpc_target,
                    metrics_target=baseline_metrics_target,
                    revision=baseline_revision,
                    model_version=baseline_version,
                    golden=baseline_golden,
                    why=why,
                    max_rate_per_second=baseline_max_rate,
                ),
            )
        )
        out.mkdir(parents=True, exist_ok=True)
        request.write(out / "request.json")
    except (SpecError, OSError) as error:
        refuse(console, error)
    with LiveView(console) as view:
        code = run_in_child(out, view.show)
    if code <= Outcome.INVALID.exit_code:
        print_verdict(Console(), Verdict.load(out / "verdict.json"))
    elif not (out / "journal.jsonl").exists():
        console.print(f"the runner ended with {code}; see {out / 'runner.log'}")
    raise typer.Exit(code)


@app.command()
def judge(
    samples: Annotated[Path, typer.Option(help="Samples (.npz): intended, sent, done, ok.")],
    profile: ProfileOption,
    json: Annotated[bool, typer.Option("--json", help="Print the whole verdict.")] = False,
) -> None:
    """Judge recorded samples again; validity is partial without the run's context.

    The file holds the arrays intended, sent, done (seconds; NaN: never) and ok (bool), and may
    hold arm (0 candidate, 1 baseline). A file that is no samples is INVALID.
    """
    try:
        verdict, _ = judge_file(samples, load_profile(profile))
    except SpecError as error:
        refuse(Console(stderr=True), error)
    if json:
        typer.echo(verdict.to_json(), nl=False)
    else:
        print_verdict(Console(), verdict)
    raise typer.Exit(verdict.outcome.exit_code)


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a gate that has its verdict.")],
) -> None:
    """Write report.html and summary.md of a finished run again, from its own files."""
    try:
        path = rewrite_report(run_dir)
    except (SpecError, OSError) as error:
        refuse(Console(stderr=True), error)
    typer.echo(path)


def _tls(target: str, ca_file: Path | None, server_name: str | None) -> Tls | None:
    if ca_file is None and server_name is None:
        return None
    if not target.startswith("https://"):
        raise SpecError("target", target, "TLS is asked for", "https://host:port")
    return Tls(ca_file=None if ca_file is None else str(ca_file), server_name=server_name)


def _api_key(header: str, prefix: str, variable: str | None, file: Path | None) -> ApiKey | None:
    if variable is None and file is None:
        return None
    content = {
        "header": header.lower(),
        "prefix": prefix,
        "environment_variable": variable,
        "file": None if file is None else str(file.resolve()),
    }
    key = ApiKey.parse(content, "api-key")
    key.read()
    return key
