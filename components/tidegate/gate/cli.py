"""`tidegate gate`: run a load test, or judge recorded samples. Exit codes are the verdict's."""

from pathlib import Path
from typing import Annotated, NoReturn, get_args
from urllib.parse import urlsplit

import numpy as np
import typer
from rich.console import Console

from tidegate.gate.follow import run_in_child
from tidegate.gate.judging import judge_file
from tidegate.gate.locking import default_lock_path
from tidegate.gate.profile import load_profile
from tidegate.gate.report.rewriting import rewrite_report
from tidegate.gate.request import GateRequest
from tidegate.gate.terminal import LiveView, print_verdict
from tidegate.gate.verdict import Outcome, Verdict
from tidegate.spec.digests import digest_file
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Tolerance
from tidegate.spec.signature import Datatype, ModelSignature, TensorSpec

EXIT_BAD_INPUT = Outcome.INVALID.exit_code

app = typer.Typer(
    help="Load-test gates. Exit codes: 0 PASS, 1 FAIL, 2 INCONCLUSIVE or wrong usage, "
    "3 INVALID or bad input, "
    "4 cancelled, 5 error of the runner.",
    no_args_is_help=True,
)


ProfileOption = Annotated[Path, typer.Option("--profile", help="Profile as a YAML file.")]


@app.command()
def run(
    profile: ProfileOption,
    target: Annotated[str, typer.Option(help="KServe v2 over HTTP: http://127.0.0.1:8000")],
    golden: Annotated[Path, typer.Option(help="Golden set (.npz).")],
    model: Annotated[str, typer.Option(help="Name of the model.")],
    model_version: Annotated[str, typer.Option(help="Version every answer must come from.")],
    out: Annotated[Path, typer.Option(help="New folder for journal, samples and verdict.")],
    grpc_target: Annotated[str | None, typer.Option(help="gRPC as host:port.")] = None,
    metrics_target: Annotated[
        str | None, typer.Option(help="Triton's metrics as host:port.")
    ] = None,
    absolute_tolerance: Annotated[float, typer.Option(min=0.0)] = 1e-5,
    relative_tolerance: Annotated[float, typer.Option(min=0.0)] = 1e-4,
) -> None:
    """Send a profile's load to a server on this machine and decide about it."""
    console = Console(stderr=True)
    try:
        if (out / "request.json").exists():
            raise SpecError("out", str(out), "it holds another run", "a new folder")
        digest = digest_file(golden)
        content = {
            "environment": "command-line",
            "service": model,
            "revision": f"{model}-{model_version}",
            "release": model_version,
            "http_target": _host_and_port(target),
            "grpc_target": grpc_target,
            "metrics_target": metrics_target,
            "signature": infer_signature(golden, model, model_version),
            "golden_path": str(golden.resolve()),
            "golden_sha256": digest,
            "tolerance": Tolerance(absolute=absolute_tolerance, relative=relative_tolerance),
            "profile": load_profile(profile),
            "subject_digests": {"golden": digest},
            "evidence_dir": str((out / "evidence").resolve()),
            "lock_path": str(default_lock_path()),
        }
        request = GateRequest.parse(content, "request")
    except (SpecError, OSError) as error:
        _refuse(console, error)
    out.mkdir(parents=True, exist_ok=True)
    request.write(out / "request.json")
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
        _refuse(Console(stderr=True), error)
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
        _refuse(Console(stderr=True), error)
    typer.echo(path)


def infer_signature(golden: Path, model: str, version: str) -> ModelSignature:
    """The signature a golden set implies; its first dimension is the batch.

    Raises SpecError when the file is no golden set.
    """
    tensors: dict[str, list[TensorSpec]] = {"input": [], "output": []}
    datatypes = {
        TensorSpec(name="-", datatype=datatype, shape=(1,)).dtype: datatype
        for datatype in get_args(Datatype)
    }
    try:
        with np.load(golden, allow_pickle=False) as archive:
            for key in archive.files:
                role, _, name = key.partition(":")
                if role in tensors:
                    array = archive[key]
                    tensors[role].append(
                        TensorSpec(
                            name=name,
                            datatype=datatypes[array.dtype],
                            shape=(-1, *array.shape[1:]),
                        )
                    )
        return ModelSignature(
            name=model,
            version=version,
            inputs=tuple(tensors["input"]),
            outputs=tuple(tensors["output"]),
        )
    except (OSError, ValueError, KeyError) as error:
        raise SpecError(
            "golden",
            str(golden),
            f"no signature can be read from it ({error})",
            "an .npz with arrays input:<name>, output:<name> and truth, and a model version >= 1",
        ) from None


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.netloc or parts.path.strip("/"):
        raise SpecError("target", url, "it is not the root of an HTTP server", "http://host:port")
    return parts.netloc


def _refuse(console: Console, error: Exception) -> NoReturn:
    console.print(f"error: {error}", markup=False, highlight=False)
    raise typer.Exit(EXIT_BAD_INPUT)
