"""`tidegate rollback`."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import psutil
import typer

from tidegate.commands.common import (
    ServiceArgument,
    StackOption,
    ask,
    fail,
    operator,
    project_folder,
    stack_file,
)
from tidegate.commands.editing import OnlyOption, reconcile, show_next_step, write_change
from tidegate.commands.platforms import PlatformOfStack
from tidegate.commands.pulumi_update import Engine
from tidegate.commands.releases import check_releases
from tidegate.spec.errors import SpecError
from tidegate.spec.traffic import FULL_WEIGHT
from tidegate.stack_file import ServiceReleases
from tidegate.traffic.takeover import TakeoverError, TakeoverUnprovenError

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
    and the stack in line. On a cluster a Job moves the traffic, so its pod has to start first.

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
        check_releases(project, service, wanted)
        changed = file.with_releases(service, wanted)
    except SpecError as error:
        fail(str(error))
    releases = wanted

    async def go_back(platform: PlatformOfStack) -> tuple[Sequence[str | None], bool]:
        revisions = await platform.revisions(service, releases)
        revision = await _gated(platform, service, releases.release, revisions[0])
        return revisions, not now or await _move(platform, service, revision, releases)

    revisions, proven = ask(stack, go_back)
    write_change(file, changed)
    if (now if up is None else up) or only:
        reconcile(Engine(project, stack), service, revisions, only=only)
    elif now:
        typer.echo(f"The stack does not know it yet. Next:\n  pulumi up --stack {stack}")
    else:
        show_next_step(stack)
    if not proven:
        raise typer.Exit(EXIT_UNPROVEN)


async def _gated(
    platform: PlatformOfStack, service: str, release: str, revision: str | None
) -> str:
    """The revision; ends the command when its gate has not passed here."""
    if revision is not None and await platform.has_passed(revision):
        return revision
    named = f"{release} ({revision})" if revision is not None else release
    return fail(
        f"{named} cannot take the traffic: its gate has not passed here. "
        f"Instead: tidegate promote {service} {release} --up runs its gate first."
    )


async def _move(
    platform: PlatformOfStack, service: str, revision: str, wanted: ServiceReleases
) -> bool:
    """Move the traffic and say how long it took; whether the gateway's answers prove it."""
    await _refuse_to_turn_round(platform, service, wanted)
    if not await _is_there_already(platform, service, revision, wanted):
        try:
            taken = await platform.take_over(service, revision, operator(), typer.echo)
        except TakeoverError as error:
            fail(str(error))
        since_typed = time.time() - psutil.Process().create_time()
        typer.secho(
            f"All traffic of {service} goes to {revision}: moved in {taken.seconds:.3f} s, "
            f"{since_typed:.1f} s after the command began.",
            bold=True,
        )
    try:
        typer.echo(await platform.prove(service, revision))
    except TakeoverUnprovenError as error:
        typer.secho(f"NOT PROVEN: {error}. See `tidegate status`.", fg="red", err=True)
        return False
    return True


async def _refuse_to_turn_round(
    platform: PlatformOfStack, service: str, wanted: ServiceReleases
) -> None:
    """Two people who are woken type the same; the second must not undo what the first did."""
    events = await platform.events(service)
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


async def _is_there_already(
    platform: PlatformOfStack, service: str, revision: str, wanted: ServiceReleases
) -> bool:
    """Whether a takeover has moved the traffic there already.

    Ends the command when the standby has the traffic for another reason.
    """
    routes = await platform.routes(service)
    if routes is None or routes.weights.get(revision) != FULL_WEIGHT:
        return False
    override = await platform.override(service)
    if override is not None and override.revision == revision:
        typer.echo(f"{override.by} moved the traffic to {revision} at {override.at} already.")
        return True
    others = [
        await platform.release_of(service, each) for each in routes.weights if each != revision
    ]
    hints = [
        f"\n  If {wanted.release} is what hurts: tidegate promote {service} "
        f"{other} --standby keep --up"
        for other in others
        if other is not None
    ]
    return fail(
        f"Nothing was moved and nothing changed: {wanted.release} takes all of the traffic "
        f"already. The stack file says {wanted.standby}, which is not live here.\n"
        f"  To take that back from the file: tidegate rollback {service} --up{''.join(hints)}"
    )
