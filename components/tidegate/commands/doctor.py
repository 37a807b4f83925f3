"""`tidegate doctor`."""

from typing import Annotated

import typer

from tidegate.commands.common import StackOption, local_stack
from tidegate.local.leftovers import leftovers

JOBS = ("gate-", "switch-")
"""Programs that end by themselves."""


def doctor(
    stack: StackOption = "local",
    left: Annotated[
        bool, typer.Option("--leftovers", help="Only look for what a destroyed stack left.")
    ] = False,
) -> None:
    """Look at a stack's processes, ports and files. Exit code 1 when something is wrong."""
    found = local_stack(stack)
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
    states = found.supervisor.states()
    for name, state in sorted(states.items()):
        typer.echo(f"{name}: {state.state}, pid {state.pid or '-'}, log {found.folder.log(name)}")
    servers = [each for name, each in states.items() if not name.startswith(JOBS)]
    if strays or not all(each.is_up for each in servers):
        raise typer.Exit(1)
