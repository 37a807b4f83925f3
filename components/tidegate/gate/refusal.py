"""How the gate's commands end when what they were given cannot work."""

from typing import NoReturn

import typer
from rich.console import Console

from tidegate.gate.verdict import Outcome

EXIT_BAD_INPUT = Outcome.INVALID.exit_code


def refuse(console: Console, error: Exception) -> NoReturn:
    """Say what is wrong and end the command."""
    # Never wrapped: a path that is cut in two cannot be copied.
    console.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(EXIT_BAD_INPUT) from None
