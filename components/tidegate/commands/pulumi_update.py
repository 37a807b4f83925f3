"""Runs `pulumi up` for a person who waits: whole stack or one service, also behind a lock."""

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from tidegate.commands.stack_lock import StackLock
from tidegate.commands.targets import HOLD_TYPE, Resource, in_preview, in_state, targets_of

LOCK_POLL_SECONDS = 2.0
SAY_AGAIN_SECONDS = 10.0

Say = Callable[[str], None]


class PulumiError(Exception):
    """pulumi did not do what was asked; the message says what it said and what to do."""


@dataclass(frozen=True)
class Engine:
    """pulumi on one stack of one project."""

    project: Path
    stack: str

    def up_command(self, targets: Sequence[str] = ()) -> list[str]:
        """The command as a person would type it."""
        options = [part for target in targets for part in ("--target", target)]
        return ["pulumi", "up", "--yes", "--skip-preview", "--stack", self.stack, *options]

    def output(self, name: str) -> str:
        """An output of the stack, also one that is a secret. Raises PulumiError."""
        options = ["--json", "--show-secrets", "--stack", self.stack]
        return str(self._asked("pulumi", "stack", "output", name, *options))

    def targets(self, service: str, revisions: Sequence[str | None]) -> list[str]:
        """URNs of one service, whose declared revisions are these; None for an unknown one.

        The state knows them when nothing is to be created, and is read in no time; otherwise the
        program is asked by a preview. A hold is the last that is created for a revision: after a
        gate that did not pass there is a server without one. Raises PulumiError, SpecError for an
        unknown service.
        """
        recorded = in_state(self._asked("pulumi", "stack", "export", "--stack", self.stack))
        complete = {each.name for each in recorded if each.type == HOLD_TYPE}
        if complete.issuperset(revisions):
            return targets_of(service, recorded)
        return targets_of(service, self._previewed())

    def up(self, targets: Sequence[str], say: Say) -> None:
        """Run `pulumi up` in front of the user; wait while another update holds the stack.

        Raises PulumiError when it fails, and at once when the lock's holder is gone.
        """
        command = self.up_command(targets)
        say(f"$ {shlex.join(command)}")
        lock: StackLock | None = None
        said_at = 0.0
        while True:
            exit_code, said = self._run(command)
            lock = StackLock.read(said)
            if lock is None:
                break
            if lock.is_stale:
                raise PulumiError(
                    f"the stack is locked by {lock.holder}, a process that is gone. Instead:\n"
                    f"  pulumi cancel --yes --stack {self.stack}\n"
                    f"  {shlex.join(command)}"
                )
            if time.monotonic() - said_at >= SAY_AGAIN_SECONDS:
                said_at = time.monotonic()
                say(f"waiting: {lock.holder} updates this stack (Ctrl-C stops waiting)")
            time.sleep(LOCK_POLL_SECONDS)
        if exit_code != 0:
            raise PulumiError(f"`pulumi up` ended with exit code {exit_code}; see above")

    def _run(self, command: Sequence[str]) -> tuple[int, str]:
        """Exit code and standard error, which is shown unless it tells of a lock."""
        with _interrupts_left_to_pulumi():
            done = subprocess.run(
                command,
                cwd=self.project,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        if StackLock.read(done.stderr) is None:
            sys.stderr.write(done.stderr)
        return done.returncode, done.stderr

    def _previewed(self) -> list[Resource]:
        command = ["pulumi", "preview", "--json", "--show-sames", "--stack", self.stack]
        return in_preview(self._asked(*command))

    def _asked(self, *command: str) -> Any:
        """What pulumi answers in JSON."""
        done = subprocess.run(
            [*command, "--non-interactive"],
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            answer: Any = json.loads(done.stdout)
        except ValueError:
            answer = {}
        if done.returncode != 0 or not answer:
            findings = [each["message"] for each in answer.get("diagnostics", ())]
            said = "".join(findings) or done.stderr or done.stdout
            raise PulumiError(f"`{shlex.join(command)}` failed:\n{said.strip()}")
        return answer


@contextmanager
def _interrupts_left_to_pulumi() -> Iterator[None]:
    """Ctrl-C reaches pulumi from the terminal as well, and it ends in order."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        return

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
