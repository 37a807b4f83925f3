"""`tidegate status`."""

import asyncio
import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table

from tidegate.commands.common import JsonOption, StackOption, local_stack
from tidegate.local.status import StackStatus, stack_status


def status(stack: StackOption = "local", as_json: JsonOption = False) -> None:
    """Show what is live, what stands by, health, requests per second and the last verdict.

    Exit code 1 when the gateway does not serve or a live revision is not healthy.
    """
    found = asyncio.run(stack_status(local_stack(stack)))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
    else:
        _print(found, stack)
    live = [each for each in found.revisions if each.role == "live"]
    if not found.gateway_serving or not live or not all(each.healthy for each in live):
        raise typer.Exit(1)


def _print(found: StackStatus, stack: str) -> None:
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
