"""What all commands share: the project they run in, its stacks, and how they refuse."""

import asyncio
import getpass
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from tidegate.cluster.errors import ClusterError
from tidegate.commands.platforms import (
    PlatformOfStack,
    declared,
    is_on_a_cluster,
    platform_of,
    stack_file_path,
)
from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.spec.errors import SpecError
from tidegate.stack_file import StackFile

T = TypeVar("T")

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


def ask(stack: str, work: Callable[[PlatformOfStack], Awaitable[T]]) -> T:
    """Result of `work` on the stack's platform. Ends the command when that cannot be asked."""
    project = project_folder()

    async def opened() -> T:
        async with platform_of(project, stack) as platform:
            return await work(platform)

    try:
        return asyncio.run(opened())
    except (SpecError, ClusterError) as error:
        fail(str(error))


def local_stack(name: str) -> LocalStack:
    """The embedded platform's side of a stack. Ends the command when the stack is on a cluster."""
    project = project_folder()
    try:
        file = declared(project, name)
    except SpecError as error:
        fail(str(error))
    if file is not None and is_on_a_cluster(file):
        fail(
            f"the stack '{name}' is on a cluster, and this command knows servers of this machine "
            "only. Instead: tidegate status, or kubectl."
        )
    return LocalStack(StateFolder(project / ".tidegate" / name))


def stack_file(name: str) -> StackFile:
    """The file that declares a stack. Raises SpecError when there is none."""
    return StackFile.load(stack_file_path(project_folder(), name))


def fail(message: str, code: int = EXIT_REFUSED) -> NoReturn:
    """Say why on standard error and end the command."""
    typer.echo(message, err=True)
    raise typer.Exit(code)


def operator() -> str:
    """Who types: user@host."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
