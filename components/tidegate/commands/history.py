"""`tidegate history`."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from tidegate.commands.common import JsonOption, ServiceArgument, StackOption, ask, fail
from tidegate.commands.platforms import PlatformOfStack
from tidegate.commands.times import local, local_clock, since
from tidegate.spec.errors import SpecError
from tidegate.traffic.switch_documents import Ending

WORDS = {
    "submitted": "asked for",
    "started": "begins",
    "resumed": "goes on",
    "stage": "traffic",
    "judged": "step passed",
    "turningBack": "turning back",
    "routerSilent": "no answer",
    "moved": "moved",
    "mended": "mended",
    "drained": "drained",
    "rollback": "ROLLBACK --now",
    "interrupted": "interrupted",
    "gate": "gate",
    Ending.ADVANCED.value: "done",
    Ending.TURNED_BACK.value: "TURNED BACK",
    Ending.CANCELLED.value: "CANCELLED",
    Ending.LEASE_LOST.value: "LEASE LOST",
    Ending.SUPERSEDED.value: "SUPERSEDED",
}
STYLES = {
    "rollback": "bold yellow",
    Ending.ADVANCED.value: "bold green",
    Ending.TURNED_BACK.value: "bold red",
    Ending.CANCELLED.value: "bold yellow",
    Ending.LEASE_LOST.value: "bold red",
    Ending.SUPERSEDED.value: "bold yellow",
}
WORD_WIDTH = max(len(each) for each in WORDS.values())


def history(
    service: ServiceArgument,
    stack: StackOption = "local",
    since_: Annotated[
        str | None, typer.Option("--since", help="Only so far back: 90s, 15m, 1h, 2d.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what moved a service's traffic and why, in this machine's time zone.

    "What happened at 03:12?" Every switch, step, judgement, turn-back and rollback is kept, also
    after `pulumi destroy`. --json prints the journal's lines with all numbers, times in UTC.

    On a cluster the last 200 events are kept while the service is there, and what its gates
    decided is told among them.
    """
    try:
        begin = since(since_) if since_ is not None else None
    except SpecError as error:
        fail(str(error))

    async def told(platform: PlatformOfStack) -> list[dict[str, Any]]:
        known = await platform.with_history()
        if service not in known:
            fail(
                f"service: '{service}' has no history in the stack '{stack}'. "
                f"There is one of: {', '.join(known) or 'nothing'}."
            )
        return await platform.events(service)

    events = [each for each in ask(stack, told) if begin is None or _at(each) >= begin]
    if as_json:
        for each in events:
            typer.echo(json.dumps(each))
    else:
        _print(service, events)


def _print(service: str, events: Sequence[dict[str, Any]]) -> None:
    console = Console()
    zone = datetime.now().astimezone().tzname()
    if not events:
        console.print(f"Nothing moved the traffic of {service} in that time.", highlight=False)
        return
    day = None
    for each in events:
        if (today := _at(each).astimezone().date()) != day:
            day = today
            console.print(Text(f"{service}, {day:%A %Y-%m-%d} ({zone})", style="bold"))
        console.print(_line(each), soft_wrap=True)


def _line(event: dict[str, Any]) -> Text:
    """Time, run, what, and the sentence with its numbers."""
    name = str(event["event"])
    run = f"run {event['run']}" if "run" in event else ""
    text = Text(f"{local_clock(str(event['at']))}  {run:<7} ")
    text.append(f"{WORDS.get(name, name):<{WORD_WIDTH}}  ", STYLES.get(name, ""))
    text.append(str(event["message"]))
    if event.get("user") and str(event["user"]) not in str(event["message"]):
        text.append(f" (by {event['user']})", "dim")
    if name in STYLES and "candidateRequests" in event:
        text.append(
            f"; {event['candidateRequests']} users' requests met the new revision, "
            f"{event['candidateErrors']} of them failed"
        )
    return text


def _at(event: dict[str, Any]) -> datetime:
    return local(str(event["at"]))
