"""`tidegate promote`."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from tidegate.commands.common import (
    ServiceArgument,
    StackOption,
    ask,
    fail,
    project_folder,
    stack_file,
)
from tidegate.commands.editing import OnlyOption, reconcile, show_next_step, write_change
from tidegate.commands.platforms import PlatformOfStack
from tidegate.commands.pulumi_update import Engine
from tidegate.commands.releases import check_releases, release_name
from tidegate.spec.errors import SpecError
from tidegate.stack_file import ServiceReleases


class Standby(StrEnum):
    """What becomes of the line `standby`."""

    FORMER = "former"
    KEEP = "keep"
    NONE = "none"


def promote(
    service: ServiceArgument,
    release: Annotated[
        str, typer.Argument(help="Release to promote, such as digits@2.", show_default=False)
    ],
    stack: StackOption = "local",
    standby: Annotated[
        Standby,
        typer.Option(help="Who stands by: the release that serves now, the same as now, nobody."),
    ] = Standby.FORMER,
    up: Annotated[bool, typer.Option("--up", help="Run `pulumi up` as well.")] = False,
    only: OnlyOption = False,
) -> None:
    """Make RELEASE the one that takes the traffic, and the one before its standby.

    Edits stacks/Pulumi.STACK.yaml and shows the difference. Traffic moves with `pulumi up`, once
    the release's gate has passed.

    Exit codes:

    - 0: done
    - 1: `pulumi up` failed, its output says why
    - 2: refused, nothing was changed
    """
    project = project_folder()
    try:
        file = stack_file(stack)
        before = file.releases(service)
        wanted = _wanted(before, release_name(service, release), standby)
        check_releases(project, service, wanted)
        changed = file.with_releases(service, wanted)
    except SpecError as error:
        fail(str(error))

    async def declared(platform: PlatformOfStack) -> tuple[Sequence[str | None], bool]:
        revisions = await platform.revisions(service, wanted)
        revision = revisions[0]
        return revisions, revision is not None and await platform.has_passed(revision)

    revisions, passed = ask(stack, declared)
    write_change(file, changed)
    gate = "its gate has passed here" if passed else "`pulumi up` runs its gate first"
    named = f"{revisions[0]}; " if revisions[0] is not None else ""
    typer.echo(f"{wanted.release} is to take the traffic ({named}{gate}).")
    if up or only:
        reconcile(Engine(project, stack), service, revisions, only=only)
    else:
        show_next_step(stack)


def _wanted(before: ServiceReleases, release: str, standby: Standby) -> ServiceReleases:
    """Raises SpecError when the release would stand by for itself."""
    if release == before.release:
        return ServiceReleases(release, None if standby is Standby.NONE else before.standby)
    choices = {Standby.FORMER: before.release, Standby.KEEP: before.standby, Standby.NONE: None}
    chosen = choices[standby]
    if chosen == release:
        raise SpecError(
            "--standby",
            standby.value,
            f"{release} stands by now and cannot stand by for itself",
            "leave the option out, or write `--standby none`",
        )
    return ServiceReleases(release, chosen)
