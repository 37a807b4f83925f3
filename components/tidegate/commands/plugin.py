"""`tidegate plugin`."""

from pathlib import Path
from typing import Annotated

import typer

from tidegate.commands.common import fail
from tidegate.plugin import Change, install_plugin

app = typer.Typer(
    help="The provider that the Pulumi engine starts for gates, switches and servers.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    # Without a callback an app that has one command is that command.
    return


@app.command()
def install(
    home: Annotated[
        Path | None,
        typer.Option(
            envvar="PULUMI_HOME", help="Pulumi's folder.", show_default=str(Path("~/.pulumi"))
        ),
    ] = None,
) -> None:
    """Put the provider of this tidegate where `pulumi` looks for plugins.

    The plugin runs with the Python that ran this command; in a new environment install it again.
    """
    folder = home if home is not None else Path.home() / ".pulumi"
    try:
        plugin = install_plugin(folder.absolute())
    except OSError as error:
        fail(f"{error}. Instead: a folder that can be written, with --home or PULUMI_HOME.")
    said = {
        Change.NONE: "was installed already",
        Change.NEW: "is installed",
        Change.OTHER: "is installed, in the place of one with another Python",
    }[plugin.change]
    typer.echo(f"tidegate {plugin.version} {said}: {plugin.program}")
