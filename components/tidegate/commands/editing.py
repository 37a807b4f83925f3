"""What follows a changed stack file: the difference on the screen, and `pulumi up`."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from tidegate.commands.common import fail
from tidegate.commands.pulumi_update import Engine, PulumiError
from tidegate.spec.errors import SpecError
from tidegate.stack_file import StackFile

EXIT_UPDATE_FAILED = 1

OnlyOption = Annotated[
    bool,
    typer.Option(
        "--only", help="Run `pulumi up` for this service alone; the others are not touched."
    ),
]


def write_change(before: StackFile, changed: StackFile) -> None:
    """Write the changed file and show what became of it."""
    difference = before.difference_to(changed)
    if not difference:
        typer.echo(f"{before.path.name} says so already.")
        return
    changed.write()
    for line in difference:
        typer.secho(line, fg={"+": "green", "-": "red"}.get(line[:1]))


def show_next_step(stack: str) -> None:
    typer.echo("Nothing has moved yet. Next:")
    typer.echo(f"  pulumi up --stack {stack}")


def reconcile(engine: Engine, service: str, revisions: Sequence[str | None], *, only: bool) -> None:
    """Run `pulumi up` and end the command with EXIT_UPDATE_FAILED when it fails.

    With `only`, for the service alone, whose declared revisions are `revisions`.
    """
    began = time.monotonic()
    try:
        engine.up(engine.targets(service, revisions) if only else (), typer.echo)
    except (PulumiError, SpecError) as error:
        fail(f"The stack is not as its file says: {error}", EXIT_UPDATE_FAILED)
    except KeyboardInterrupt:
        fail(
            "No longer waiting: the stack file is changed, the stack is not. When the other "
            f"update has ended: {' '.join(engine.up_command())}",
            EXIT_UPDATE_FAILED,
        )
    typer.echo(f"The stack is as its file says ({time.monotonic() - began:.1f} s).")
