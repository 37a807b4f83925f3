"""`tidegate status`."""

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidegate.commands.common import JsonOption, StackOption, ask
from tidegate.commands.watch_view import NOTHING, override_in_words
from tidegate.gate.document import Document
from tidegate.traffic.stack_status import RevisionStatus, StackStatus

COLUMNS = ("service", "role", "revision", "traffic", "health", "ready", "req/s", "gate")


def status(stack: StackOption = "local", as_json: JsonOption = False) -> None:
    """Show what is live, what stands by, health, requests per second and the last verdict.

    Also a switch that is under way, and a rollback that the stack does not know yet.

    On a cluster: ready pods of each revision, a gate that is running; users' requests where your
    account may `get` pods/proxy in the namespace of the gateway's Envoys.

    Exit code 1 when the gateway does not serve or a live revision is not healthy.
    """
    found = ask(stack, lambda platform: platform.status())
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1, default=_of_document))
    else:
        _print(found, stack)
    live = [each for each in found.revisions if each.role == "live"]
    if not found.gateway_serving or not live or not all(each.healthy for each in live):
        raise typer.Exit(1)


def _print(found: StackStatus, stack: str) -> None:
    console = Console()
    if found.gateway is None:
        console.print(f"The stack '{stack}' has no gateway; `pulumi up` makes one.")
        if not found.revisions:
            return
    else:
        condition = "serving" if found.gateway_serving else "[bold red]not serving[/]"
        console.print(f"gateway {found.gateway} (HTTP and gRPC): {condition}", soft_wrap=True)
    for problem in found.problems:
        console.print(Text(problem, style="yellow"), soft_wrap=True)
    table = Table(*COLUMNS, box=None)
    for each in found.revisions:
        table.add_row(
            each.service,
            each.role,
            each.revision,
            f"{each.weight}%",
            _health(each),
            f"{each.servers_ready}/{each.servers}",
            NOTHING if each.requests_per_second is None else f"{each.requests_per_second:.0f}",
            each.gate if each.gate == "PASS" else f"[yellow]{each.gate}[/]",
        )
    console.print(table)
    for switch in found.switches:
        if switch.under_way is not None:
            words = f"switch of {switch.service}, {switch.under_way}"
            console.print(Text(words, style="bold cyan"))
            console.print(f"  live: tidegate watch {switch.service} --stack {stack}", style="dim")
        if switch.override is not None:
            console.print(Text(override_in_words(switch.override), style="bold yellow"))
    for each in found.revisions:
        console.print(f"{each.revision}: {each.verdict}", style="dim", highlight=False)


def _health(revision: RevisionStatus) -> str:
    if revision.healthy:
        return "healthy"
    return "cold" if revision.servers == 0 else "[bold red]unhealthy[/]"


def _of_document(value: Document) -> dict[str, object]:
    return value.model_dump(mode="json", by_alias=True)
