"""`tidegate watch`."""

import asyncio
import json
import sys
import time
from collections.abc import Callable

import typer
from rich.console import Console
from rich.live import Live

from tidegate.commands.common import JsonOption, ServiceArgument, StackOption, ask, fail
from tidegate.commands.history import WORDS
from tidegate.commands.platforms import PlatformOfStack
from tidegate.commands.watch_view import document, line, picture
from tidegate.traffic.service_watch import ServiceView, ServiceWatch
from tidegate.traffic.switch_documents import Ending, SwitchOutcome

LOOK_SECONDS = 1.0
EXIT_CODES = {
    Ending.ADVANCED: 0,
    Ending.TURNED_BACK: 1,
    Ending.CANCELLED: 4,
    Ending.LEASE_LOST: 4,
    Ending.SUPERSEDED: 5,
}
EXIT_INTERRUPTED = 130

Show = Callable[[ServiceView], None]


def watch(
    service: ServiceArgument, stack: StackOption = "local", as_json: JsonOption = False
) -> None:
    """Watch a service live: weights, users' requests, errors, p50/p95/p99, and a switch's steps.

    When a canary or a bake runs, or begins meanwhile, it is followed and the command ends with it;
    otherwise Ctrl-C ends it. In a log one line a second, with --json one JSON object a second.

    On a cluster users' numbers come from the Envoys by way of the API server, which takes the right
    to `get` pods/proxy in their namespace; without it the rest is shown, and a switch's own count.

    Exit codes are the switch's:

    - 0: all traffic goes to the new revision
    - 1: it was turned back
    - 4: it was cancelled, or its `pulumi up` was killed
    - 5: somebody else moved the traffic meanwhile
    - 2: there is no such service
    - 130: Ctrl-C
    """

    async def follow(platform: PlatformOfStack) -> SwitchOutcome:
        known = await platform.routed()
        if service not in known:
            fail(
                f"service: '{service}' has no routes in the stack '{stack}'. "
                f"Routed here: {', '.join(known) or 'nothing'}. Run `pulumi up` first."
            )
        return await _follow(ServiceWatch(service, await platform.looks(service)), as_json)

    try:
        outcome = ask(stack, follow)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if not as_json:
        typer.secho(f"{WORDS[outcome.ending]}: {outcome.reason}", bold=True)
    raise typer.Exit(EXIT_CODES[outcome.ending])


async def _follow(watched: ServiceWatch, as_json: bool) -> SwitchOutcome:
    console = Console()
    if as_json:
        return await _looks(watched, lambda view: _print(json.dumps(document(view))))
    if not console.is_terminal:
        return await _looks(watched, lambda view: _print(line(view)))
    with Live(console=console, auto_refresh=False) as live:
        return await _looks(watched, lambda view: live.update(picture(view), refresh=True))


async def _looks(watched: ServiceWatch, show: Show) -> SwitchOutcome:
    """Look once a second until a switch has its outcome."""
    due = time.monotonic()
    while True:
        view = await watched.look()
        show(view)
        if view.outcome is not None:
            return view.outcome
        _end_when_interrupted()
        due = max(due + LOOK_SECONDS, time.monotonic())
        await asyncio.sleep(due - time.monotonic())


def _end_when_interrupted() -> None:
    """Raise what Ctrl-C raises, should a request's own time limit have swallowed it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
