"""The plugin's process: how it starts and how it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import grpc
import psutil
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc

pytestmark = pytest.mark.unit

DEADLINE_SECONDS = 20.0
NOBODY = "127.0.0.1:1"
COMMAND = [sys.executable, "-m", "tidegate.provider", NOBODY]
# Stands for an engine: starts the plugin, says its process id, waits to be killed.
ENGINE = """
import subprocess, sys, time
plugin = subprocess.Popen(sys.argv[1:])
print(plugin.pid, flush=True)
time.sleep(600)
"""


@contextmanager
def started(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.communicate()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def plugin_version(port: int) -> str:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
        return str(stub.GetPluginInfo(empty_pb2.Empty(), timeout=DEADLINE_SECONDS).version)


def test_it_prints_its_port_serves_and_ends_on_sigint() -> None:
    with started(COMMAND) as (process, stdout):
        assert plugin_version(int(stdout.readline()))

        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE_SECONDS)

    assert process.returncode == 0
    assert errors == ""


def test_it_ends_when_the_engine_is_killed() -> None:
    with started([sys.executable, "-c", ENGINE, *COMMAND]) as (engine, stdout):
        plugin = int(stdout.readline())
        try:
            assert int(stdout.readline()) > 0
            assert not has_ended(plugin)

            engine.kill()

            assert eventually(lambda: has_ended(plugin))
        finally:
            if not has_ended(plugin):
                os.kill(plugin, signal.SIGKILL)


def test_started_by_hand_it_says_who_starts_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tidegate.provider"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "the Pulumi engine starts it" in done.stderr
