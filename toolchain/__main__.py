"""The commands behind the Makefile."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from toolchain import doctor, embedded, environment, lock
from toolchain.errors import ToolchainError
from toolchain.progress import Progress, time_table
from toolchain.project import Project, tools_root
from toolchain.recipes import bundle_home
from toolchain.setup import programs_for_tests, programs_to_build, set_up, step_count

INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="toolchain", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="install what the embedded platform needs")
    commands.add_parser("setup-lint", help="the same and the SDKs of both clouds, for the types")
    commands.add_parser("setup-tests", help="install what the whole test suite needs")
    commands.add_parser("env", help="print exports for a shell")
    commands.add_parser("doctor", help="say what is there and what is missing")
    commands.add_parser("lock", help="pin every Python package again")
    for name, text in (("up", "bring a stack up"), ("down", "take a stack down")):
        commands.add_parser(name, help=text).add_argument("--stack", default="local")
    inside = commands.add_parser("exec", help="run a program in the project's environment")
    inside.add_argument("program", nargs=argparse.REMAINDER)
    return top


def run(arguments: argparse.Namespace, project: Project) -> int:
    """Carry out one command and return the exit code."""
    tools = tools_root(os.environ, Path.home())
    to_build = programs_to_build(project, tools, os.environ)
    folders = [bundle_home(to_build, tools) / "bin"] if to_build else []
    chosen = environment.settings(project, folders, os.environ)
    inside = {**os.environ, **chosen}
    match arguments.command:
        case "setup" | "setup-lint" | "setup-tests" as command:
            for_tests = programs_for_tests(project) if command == "setup-tests" else ()
            cloud = command != "setup"
            progress = Progress(sys.stdout, step_count(to_build, for_tests, cloud=cloud))
            set_up(project, tools, to_build, progress, os.environ, for_tests, cloud=cloud)
            progress.say(time_table(progress.times))
        case "env":
            print(environment.exports(chosen))
        case "doctor":
            return doctor.report(doctor.inspect(project, tools, os.environ), sys.stdout)
        case "lock":
            lock.compile_requirements(project, inside)
        case "up":
            steps = step_count(to_build) + embedded.UP_STEPS
            progress = Progress(sys.stdout, steps)
            set_up(project, tools, to_build, progress, os.environ)
            embedded.up(project, arguments.stack, progress, inside)
        case "down":
            progress = Progress(sys.stdout, step_count(to_build) + embedded.DOWN_STEPS)
            set_up(project, tools, to_build, progress, os.environ)
            embedded.down(project, arguments.stack, progress, inside)
        case "exec":
            run_inside(arguments.program, inside)
    return 0


def run_inside(words: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Become the program that follows `exec --`.

    Raises ToolchainError if there is none of that name.
    """
    program = list(words[1:] if words[:1] == ["--"] else words)
    if not program:
        raise ToolchainError("`exec` needs a program: ./toolchain/run exec -- pulumi about")
    try:
        os.execvpe(program[0], program, environ)
    except FileNotFoundError:
        raise ToolchainError(f"{program[0]} is not installed. Run `make setup`.") from None


def main() -> int:
    # Whoever ends a build from outside ends its compilers too, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = parser().parse_args()
    try:
        return run(arguments, Project(Path(__file__).resolve().parent.parent))
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the next run goes on from here", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
