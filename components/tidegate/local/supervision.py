"""Long-lived processes of one stack under supervisor, so that they outlive every `pulumi up`."""

import os
import re
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

import psutil
from filelock import FileLock

from tidegate.files import write_atomically
from tidegate.local.child import AFTER
from tidegate.local.state_folder import StateFolder

START_SECONDS = 15.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.1
LOG_BYTES = 10 * 1024 * 1024
LOG_BACKUPS = 3


Restart = Literal["always", "on-failure", "never"]
_AUTORESTART: Mapping[Restart, str] = MappingProxyType(
    {"always": "true", "on-failure": "unexpected", "never": "false"}
)


class Faults(IntEnum):
    """Codes of supervisor's answers, http://supervisord.org/api.html."""

    BAD_NAME = 10
    NOT_RUNNING = 70
    STILL_RUNNING = 91


class SupervisionError(Exception):
    """Supervisor did not start, stop or answer; the message says what happened."""


@dataclass(frozen=True)
class Program:
    """A supervised process.

    `restart`: start it again whenever it ends (a server), until it ends with exit code 0 (a job
    that goes on where it was), or never.
    `stop_seconds`: time between SIGTERM and SIGKILL.
    `helpers_mark`: what begins an argument of each helper process that the program starts.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    restart: Restart = "always"
    stop_seconds: int = 30
    helpers_mark: str | None = None


@dataclass(frozen=True)
class ProcessState:
    """What supervisor says of a program. `state` is supervisor's word: RUNNING, BACKOFF, …"""

    name: str
    state: str
    pid: int
    exit_status: int

    @property
    def is_up(self) -> bool:
        return self.state in {"STARTING", "RUNNING"}

    @property
    def comes_back(self) -> bool:
        """Whether supervisor is about to start it again after it ended too soon."""
        return self.state == "BACKOFF"


class Supervisor:
    """One supervisord per stack, reached through a socket that only this user can open."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder

    # -- the daemon ---------------------------------------------------------------------------

    def is_running(self) -> bool:
        try:
            self._rpc().getState()
        except (OSError, xmlrpc.client.Error, SupervisionError):
            return False
        return True

    def ensure_running(self) -> None:
        """Start supervisord unless it runs. Raises `SupervisionError`."""
        with self._lock():
            if self.is_running():
                return
            self._write_daemon_configuration()
            self._folder.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.socket.unlink(missing_ok=True)
            started = subprocess.run(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._configuration)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_daemon_environment(),
                text=True,
                check=False,
            )
            deadline = time.monotonic() + START_SECONDS
            while not self.is_running():
                if started.returncode != 0 or time.monotonic() > deadline:
                    raise SupervisionError(
                        f"supervisord did not start: {started.stdout.strip() or 'no output'} "
                        f"(its log: {self._folder.log('supervisord')})"
                    )
                time.sleep(POLL_SECONDS)

    def shut_down(self) -> None:
        """Stop every program, then supervisord itself, and wait until it is gone."""
        with self._lock():
            if not self.is_running():
                return
            pid = int(self._rpc().getPID())
            self._rpc().shutdown()
            try:
                psutil.Process(pid).wait(timeout=STOP_SECONDS)
            except psutil.NoSuchProcess:
                pass
            except psutil.TimeoutExpired as error:
                raise SupervisionError(
                    f"supervisord (pid {pid}) did not end within {STOP_SECONDS:g} s"
                ) from error
            self._folder.socket.unlink(missing_ok=True)

    # -- programs -----------------------------------------------------------------------------

    def start(self, program: Program) -> None:
        """Run the program; a program of that name with other settings is replaced.

        Does nothing when it runs as declared. Does not wait until the program is ready.
        """
        self.ensure_running()
        if self.runs(program):
            return
        self.stop(program.name)
        write_atomically(self._program_file(program.name), self._program_configuration(program))
        try:
            self._reload()
        except SupervisionError:
            # Its file would keep every other program from being started.
            self._program_file(program.name).unlink()
            raise
        self._rpc().addProcessGroup(program.name)

    def runs(self, program: Program) -> bool:
        """Whether the program is up with exactly these settings."""
        path = self._program_file(program.name)
        declared = path.read_text(encoding="utf-8") if path.exists() else None
        state = self.state(program.name)
        return (
            state is not None and state.is_up and declared == self._program_configuration(program)
        )

    def send_line(self, name: str, line: str) -> None:
        """Write to the standard input of a program that was started just now.

        What is written there is kept and logged nowhere. Raises SupervisionError when the program
        does not run or does not read.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._rpc().sendProcessStdin(name, line)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode != Faults.NOT_RUNNING or time.monotonic() > deadline:
                    raise SupervisionError(f"{name} takes no input: {fault.faultString}") from fault
                time.sleep(POLL_SECONDS)
                continue
            return

    def stop(self, name: str) -> None:
        """Stop and forget the program; nothing happens when there is none."""
        if self.is_running():
            rpc = self._rpc()
            self._settle(name, rpc.stopProcessGroup, name, True)
            deadline = time.monotonic() + STOP_SECONDS
            # Supervisor does not wait for a stop that somebody else has asked for.
            while not self._settle(name, rpc.removeProcessGroup, name):
                if time.monotonic() > deadline:
                    raise SupervisionError(f"{name} did not end within {STOP_SECONDS:g} s")
                time.sleep(POLL_SECONDS)
                # It may have crashed, been found stopped, and been started again by supervisor.
                self._settle(name, rpc.stopProcessGroup, name, True)
        self._program_file(name).unlink(missing_ok=True)

    def _settle(self, name: str, call: Callable[..., object], *arguments: object) -> bool:
        """Call supervisor about a program that may be gone; False while it is still ending."""
        try:
            call(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.STILL_RUNNING:
                return False
            if fault.faultCode not in {Faults.BAD_NAME, Faults.NOT_RUNNING}:
                raise SupervisionError(f"cannot stop {name}: {fault.faultString}") from fault
        return True

    def state(self, name: str) -> ProcessState | None:
        """State of a program, None when supervisor does not know it."""
        return self.states().get(name)

    def states(self) -> dict[str, ProcessState]:
        """All programs by name; empty when supervisord does not run."""
        try:
            infos = cast("list[dict[str, Any]]", self._rpc().getAllProcessInfo())
        except (OSError, xmlrpc.client.Error, SupervisionError):
            return {}
        return {
            info["group"]: ProcessState(
                info["group"], info["statename"], int(info["pid"]), int(info["exitstatus"])
            )
            for info in infos
        }

    def log_tail(self, name: str, lines: int = 8) -> str:
        """The last lines of a program's log."""
        try:
            text = self._folder.log(name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])

    # -- configuration files ------------------------------------------------------------------

    @property
    def _configuration(self) -> Path:
        return self._folder.supervisor / "supervisord.conf"

    def _program_file(self, name: str) -> Path:
        return self._folder.supervisor / "programs" / f"{name}.conf"

    def _lock(self) -> FileLock:
        self._folder.supervisor.mkdir(parents=True, exist_ok=True)
        return FileLock(self._folder.supervisor / "lock", timeout=STOP_SECONDS * 2)

    def _write_daemon_configuration(self) -> None:
        self._folder.logs.mkdir(parents=True, exist_ok=True)
        programs = self._folder.supervisor / "programs"
        programs.mkdir(parents=True, exist_ok=True)
        # The include is relative to this file: supervisor would split a path at its spaces.
        text = f"""[unix_http_server]
file={_escape(str(self._folder.socket))}
chmod=0600

[supervisord]
logfile={_escape(str(self._folder.log("supervisord")))}
logfile_maxbytes={LOG_BYTES}
logfile_backups={LOG_BACKUPS}
pidfile={_escape(str(self._folder.supervisor / "supervisord.pid"))}
directory={_escape(str(self._folder.root))}
strip_ansi=true

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = programs/*.conf
"""
        write_atomically(self._configuration, text)

    def _program_configuration(self, program: Program) -> str:
        # Programs end with supervisord (see child.py): an orphan would keep its ports.
        command = [sys.executable, "-m", "tidegate.local.child"]
        if program.helpers_mark is not None:
            command.append(AFTER + program.helpers_mark)
        command += program.command
        environment = ",".join(
            f'{name}="{_escape(value)}"' for name, value in sorted(program.environment.items())
        )
        # Supervisor expands the name of a program's log twice.
        log = _escape(_escape(str(self._folder.log(program.name))))
        return f"""[program:{program.name}]
command={_escape(shlex.join(command))}
environment={environment}
directory={_escape(str(self._folder.root))}
autostart=true
autorestart={_AUTORESTART[program.restart]}
startsecs={0 if program.restart == "never" else 1}
startretries=5
stopsignal=TERM
stopwaitsecs={program.stop_seconds}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes={LOG_BYTES}
stdout_logfile_backups={LOG_BACKUPS}
"""

    # -- transport ----------------------------------------------------------------------------

    def _reload(self) -> None:
        try:
            self._rpc().reloadConfig()
        except xmlrpc.client.Fault as fault:
            raise SupervisionError(
                f"supervisor refuses its configuration: {fault.faultString}"
            ) from fault

    def _rpc(self) -> Any:
        if not self._folder.socket.exists():
            raise SupervisionError("supervisord does not run")
        # Of the extra `local`, which commands and the provider do without on a cluster.
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._folder.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def _daemon_environment() -> dict[str, str]:
    """Only what programs need: the caller's environment may hold credentials."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _escape(text: str) -> str:
    """Supervisor expands %(…)s in its files, and takes # and ; after a space for comments.

    Raises SupervisionError for text that cannot be written there.
    """
    if re.search(r"\s[#;]|\n", text):
        raise SupervisionError(
            f"{text!r} cannot work: supervisor reads what follows ' #', ' ;' or a line break as a "
            "comment. Instead: move the project to a folder without them in its path"
        )
    return text.replace("%", "%%")
