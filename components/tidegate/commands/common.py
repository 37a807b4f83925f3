"""What all commands share: the project they run in, its stacks, and how they refuse."""

import getpass
import socket
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.stack_file import StackFile

EXIT_REFUSED = 2
"""The command was not carried out and nothing was changed."""

ServiceArgument = Annotated[
    str, typer.Argument(help="Name of the service, for example digits.", show_default=False)
]
StackOption = Annotated[str, typer.Option(help="Name of the stack.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def project_folder() -> Path:
    """The Pulumi project that the working directory belongs to. Ends the command without one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").exists():
            return folder
    return fail(
        f"{here} is not in a Pulumi project: no Pulumi.yaml here or above. "
        "Instead: cd to the project and type the command again."
    )


def local_stack(name: str) -> LocalStack:
    """The embedded platform's side of a stack."""
    return LocalStack(StateFolder(project_folder() / ".tidegate" / name))


def stack_file(name: str) -> StackFile:
    """The file that declares a stack. Raises SpecError when there is none."""
    return StackFile.load(project_folder() / "stacks" / f"Pulumi.{name}.yaml")


def fail(message: str, code: int = EXIT_REFUSED) -> NoReturn:
    """Say why on standard error and end the command."""
    typer.echo(message, err=True)
    raise typer.Exit(code)


def operator() -> str:
    """Who types: user@host."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
