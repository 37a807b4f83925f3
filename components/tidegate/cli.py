"""The `tidegate` command."""

import typer

from tidegate.commands.doctor import doctor
from tidegate.commands.history import history
from tidegate.commands.predict import predict_example
from tidegate.commands.promote import promote
from tidegate.commands.rollback import rollback
from tidegate.commands.status import status
from tidegate.commands.watch import watch
from tidegate.gate.cli import app as gate_app

app = typer.Typer(
    help="GPU inference platforms whose releases take traffic only after a load test passed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(status)
app.command()(watch)
app.command()(history)
app.command()(rollback)
app.command()(promote)
app.command("predict")(predict_example)
app.command()(doctor)
app.add_typer(gate_app, name="gate")

if __name__ == "__main__":
    app()
