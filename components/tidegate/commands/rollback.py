"""`tidegate rollback`."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated

import psutil
import typer

from tidegate.commands.common import (
    ServiceArgument,
    StackOption,
    fail,
    local_stack,
    operator,
    project_folder,
    stack_file,
)
from tidegate.commands.editing import OnlyOption, reconcile, show_next_step, write_change
from tidegate.commands.pulumi_update import Engine
from tidegate.commands.releases import declared_revisions
from tidegate.local.stack import LocalStack
from tidegate.local.takeover import (
    TakeoverError,
    TakeoverUnprovenError,
    prove,
    take_over,
)
from tidegate.spec.errors import SpecError
from tidegate.spec.traffic import FULL_WEIGHT
from tidegate.stack_file import ServiceReleases

EXIT_UNPROVEN = 3
JUST_NOW_SECONDS = 300.0


def rollback(
    service: ServiceArgument,
    stack: StackOption = "local",
    now: Annotated[
        bool,
        typer.Option("--now", help="Move the traffic at once, then edit the file and run `up`."),
    ] = False,
    up: Annotated[
        bool | None,
        typer.Option(
            "--up/--no-up",
            help="Whether to run `pulumi up` as well; without, only `--now` does.",
            show_default=False,
        ),
    ] = None,
    only: OnlyOption = False,
) -> None:
    """Go back to the standby release: it has passed its gate and is warm, so nothing is waited for.

    IN AN EMERGENCY: `tidegate rollback SERVICE --now`. It moves the traffic first, in about a
    second, also while another `pulumi up` or a canary is running. Then it brings the stack file
    and the stack in line.

    Without --now it only swaps `release` and `standby` in stacks/Pulumi.STACK.yaml and shows the
    difference. The traffic moves with `pulumi up`.

    Exit codes:

    - 0: done
    - 1: `pulumi up` failed; with --now the traffic has moved all the same
    - 2: refused, nothing was changed
    - 3: the traffic was moved, but the gateway's answers do not show it
    """
    project = project_folder()
    try:
        file = stack_file(stack)
        before = file.releases(service)
        wanted = before.swapped()
        if wanted is None:
            fail(
                f"{service} has no standby in {file.path.name}, so there is nothing to go back to. "
                f"Instead: name a release yourself: tidegate promote {service} "
                f"{service}@<release> --up"
            )
        revisions = declared_revisions(project, file, service, wanted)
        changed = file.with_releases(service, wanted)
    except SpecError as error:
        fail(str(error))
    found, revision = local_stack(stack), revisions[0]
    if found.gates.passing(revision) is None:
        fail(
            f"{wanted.release} ({revision}) cannot take the traffic: its gate has not passed "
            f"here. Instead: tidegate promote {service} {wanted.release} --up runs its gate first."
        )
    proven = _move(found, service, revision, wanted) if now else True
    write_change(file, changed)
    if (now if up is None else up) or only:
        reconcile(Engine(project, stack), service, revisions, only=only)
    elif now:
        typer.echo(f"The stack does not know it yet. Next:\n  pulumi up --stack {stack}")
    else:
        show_next_step(stack)
    if not proven:
        raise typer.Exit(EXIT_UNPROVEN)


def _move(stack: LocalStack, service: str, revision: str, wanted: ServiceReleases) -> bool:
    """Move the traffic and say how long it took; whether the gateway's answers prove it."""
    _refuse_to_turn_round(stack, service, wanted)
    if not _is_there_already(stack, service, revision, wanted):
        try:
            taken = asyncio.run(take_over(stack, service, revision, operator(), asyncio.sleep))
        except TakeoverError as error:
            fail(str(error))
        since_typed = time.time() - psutil.Process().create_time()
        typer.secho(
            f"All traffic of {service} goes to {revision}: moved in {taken.seconds:.3f} s, "
            f"{since_typed:.1f} s after the command began.",
            bold=True,
        )
    try:
        proof = asyncio.run(prove(stack, service, revision, asyncio.sleep))
    except TakeoverUnprovenError as error:
        typer.secho(f"NOT PROVEN: {error}. See `tidegate status`.", fg="red", err=True)
        return False
    typer.echo(
        f"Proven at the gateway: {proof.answers} answers in a row came from it, the first "
        f"{proof.seconds:.3f} s later."
    )
    return True


def _refuse_to_turn_round(stack: LocalStack, service: str, wanted: ServiceReleases) -> None:
    """Two people who are woken type the same; the second must not undo what the first did."""
    events = stack.switches.folder(service).events()
    last = next((each for each in reversed(events) if each["event"] == "rollback"), None)
    if last is None or last.get("release") != wanted.standby:
        return
    seconds = (datetime.now(UTC) - datetime.fromisoformat(str(last["at"]))).total_seconds()
    if seconds < JUST_NOW_SECONDS:
        fail(
            f"Nothing was moved and nothing changed: {last.get('user', 'somebody')} rolled "
            f"{service} back to {wanted.standby} {seconds:.0f} s ago, and a second rollback would "
            f"undo that.\n  To send the traffic to {wanted.release} all the same: "
            f"tidegate promote {service} {wanted.release} --up"
        )


def _is_there_already(
    stack: LocalStack, service: str, revision: str, wanted: ServiceReleases
) -> bool:
    """Whether a takeover has moved the traffic there already.

    Ends the command when the standby has the traffic for another reason.
    """
    routes = stack.recorded_routes(service)
    if routes is None or routes.weights.get(revision) != FULL_WEIGHT:
        return False
    override = stack.switches.folder(service).override()
    if override is not None and override.revision == revision:
        typer.echo(f"{override.by} moved the traffic to {revision} at {override.at} already.")
        return True
    others = (stack.slots.record(each) for each in routes.weights if each != revision)
    hints = [
        f"\n  If {wanted.release} is what hurts: tidegate promote {service} "
        f"{service}@{other.release} --standby keep --up"
        for other in others
        if other is not None
    ]
    return fail(
        f"Nothing was moved and nothing changed: {wanted.release} takes all of the traffic "
        f"already. The stack file says {wanted.standby}, which is not live here.\n"
        f"  To take that back from the file: tidegate rollback {service} --up{''.join(hints)}"
    )
