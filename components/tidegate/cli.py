"""The `tidegate` command."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "status": "tidegate.commands.status:status",
        "watch": "tidegate.commands.watch:watch",
        "history": "tidegate.commands.history:history",
        "rollback": "tidegate.commands.rollback:rollback",
        "promote": "tidegate.commands.promote:promote",
        "predict": "tidegate.commands.predict:predict_example",
        "doctor": "tidegate.commands.doctor:doctor",
        "gate": "tidegate.gate.cli:app",
        "plugin": "tidegate.commands.plugin:app",
    }
)
"""Where each subcommand is, as they are listed."""


class Subcommands(TyperGroup):
    """Imports a subcommand when it is asked for: a rollback does not wait for the gate's numpy."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            group = get_group(found)
            group.name = cmd_name
            return group
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        alone.command(cmd_name)(found)
        return get_command(alone)


app = typer.Typer(
    cls=Subcommands,
    help="GPU inference platforms whose releases take traffic only after a load test passed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _group() -> None:
    # Without a callback an app that has no command of its own is refused.
    return


if __name__ == "__main__":
    app()
