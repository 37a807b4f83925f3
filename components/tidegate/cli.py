"""The `tidegate` command."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from tidegate.gate.cli import app as gate_app
from tidegate.local.leftovers import leftovers
from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.local.status import StackStatus, stack_status
from tidegate.prediction import Prediction, PredictionError, picture, predict
from tidegate.spec.errors import SpecError
from tidegate.spec.golden import load_golden
from tidegate.spec.release import load_release

app = typer.Typer(
    help="GPU inference platforms whose releases take traffic only after a load test passed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(gate_app, name="gate")

StackOption = Annotated[str, typer.Option(help="Name of the stack.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def status(stack: StackOption = "local", as_json: JsonOption = False) -> None:
    """Show what is live, what stands by, health, requests per second and the last verdict.

    Exit code 1 when the gateway does not serve or a live revision is not healthy.
    """
    found = asyncio.run(stack_status(_stack(stack)))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
    else:
        _print_status(found, stack)
    live = [each for each in found.revisions if each.role == "live"]
    if not found.gateway_serving or not live or not all(each.healthy for each in live):
        raise typer.Exit(1)


@app.command("predict")
def predict_command(
    service: Annotated[str, typer.Argument(help="Name of the service, for example digits.")],
    stack: StackOption = "local",
    example: Annotated[int, typer.Option(min=0, help="Row of the golden set.")] = 0,
) -> None:
    """Send one example of the live release's golden set through the gateway."""
    found = _stack(stack)
    record = found.gateway.record()
    routes = {each.service: each for each in found.gateway.discovery.services()}
    live = routes[service].live_revision if service in routes else None
    slot = found.slots.record(live) if live is not None else None
    if record is None or slot is None:
        _fail(
            f"service: '{service}' has no live revision in the stack '{stack}'. "
            f"Routed here: {', '.join(sorted(routes)) or 'nothing'}. Run `pulumi up` first."
        )
    serving_root = _project() / "serving"
    try:
        release = load_release(serving_root, service, slot.release)
        golden = load_golden(serving_root / release.golden.path, release.model)
        if example >= golden.count:
            _fail(f"--example: {example} is too large; the golden set has {golden.count} rows.")
        answer = predict(record.address, release.model, golden, example)
    except (SpecError, PredictionError) as error:
        _fail(str(error))
    _print_prediction(answer, release.model.inputs[0].maximum)


@app.command()
def doctor(
    stack: StackOption = "local",
    left: Annotated[
        bool, typer.Option("--leftovers", help="Only look for what a destroyed stack left.")
    ] = False,
) -> None:
    """Look at a stack's processes, ports and files. Exit code 1 when something is wrong."""
    found = _stack(stack)
    remains = leftovers(found)
    if left:
        for line in remains:
            typer.echo(f"left behind: {line}")
        if remains:
            raise typer.Exit(1)
        typer.echo(f"nothing is left of the stack '{stack}' but its evidence and logs")
        return
    strays = found.strays()
    for revision in strays:
        typer.echo(f"{revision}: runs, is not declared and not routed; `pulumi up` stops it")
    for name, state in sorted(found.supervisor.states().items()):
        typer.echo(f"{name}: {state.state}, pid {state.pid or '-'}, log {found.folder.log(name)}")
    if strays or any(
        not state.is_up for name, state in found.supervisor.states().items() if "gate-" not in name
    ):
        raise typer.Exit(1)


def _stack(name: str) -> LocalStack:
    return LocalStack(StateFolder(_project() / ".tidegate" / name))


def _project() -> Path:
    """The Pulumi project that the working directory belongs to."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").exists():
            return folder
    return _fail(f"{here} is not in a Pulumi project: no Pulumi.yaml here or above.")


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)


def _print_status(found: StackStatus, stack: str) -> None:
    console = Console()
    if found.gateway is None:
        console.print(f"The stack '{stack}' has no gateway; `pulumi up` makes one.")
        return
    condition = "serving" if found.gateway_serving else "[bold red]not serving[/]"
    console.print(f"gateway {found.gateway} (HTTP and gRPC): {condition}")
    table = Table("service", "role", "revision", "traffic", "health", "req/s", "gate", box=None)
    for each in found.revisions:
        table.add_row(
            each.service,
            each.role,
            each.revision,
            f"{each.weight}%",
            "healthy" if each.healthy else "[bold red]unhealthy[/]",
            f"{each.requests_per_second:.0f}",
            each.gate if each.gate == "PASS" else f"[yellow]{each.gate}[/]",
        )
    console.print(table)
    for each in found.revisions:
        console.print(f"{each.revision}: {each.verdict}", style="dim", highlight=False)


def _print_prediction(answer: Prediction, maximum: float | None) -> None:
    image = next(iter(answer.inputs.values()))[0]
    if image.ndim == 2 and maximum:
        typer.echo(picture(image, maximum))
    typer.echo(f"POST {answer.url}")
    for name, values in answer.outputs.items():
        shown = [round(value, 3) if isinstance(value, float) else value for value in values]
        typer.echo(f"  {name}: {shown}")
    typer.echo(f"  truth: {answer.truth}")
    for name, value in answer.headers.items():
        typer.echo(f"  {name}: {value}")


if __name__ == "__main__":
    app()
