"""What differs from the declaration although nobody ran `pulumi up`."""

import json
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace

import psutil
import pytest

from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import Project
from tests.engine.harness.releases import SERVICE
from tests.engine.harness.waiting import wait_for

pytestmark = pytest.mark.engine


def edit_routes(project: Project) -> None:
    path = project.local.gateway.discovery.routes_file
    routes = json.loads(path.read_text(encoding="utf-8"))
    routes["version_info"] = "by hand"
    routes["resources"][0]["virtual_hosts"][0]["routes"] = []
    partial = path.with_suffix(".edited")
    partial.write_text(json.dumps(routes), encoding="utf-8")
    partial.rename(path)


def delete_routes(project: Project) -> None:
    project.local.gateway.discovery.routes_file.unlink()


def stop_gateway(project: Project) -> None:
    project.local.supervisor.stop("gateway")


def stop_server(project: Project) -> None:
    # Killed first: Triton waits for the gateway's open connections when it is asked to end.
    os.kill(project.pid(project.revision("1")), signal.SIGKILL)
    project.local.supervisor.stop(project.revision("1"))


def kill_everything(project: Project) -> None:
    """As after a reboot: supervisor is gone, and its programs with it."""
    daemon = psutil.Process(int((project.state_folder / "supervisor/supervisord.pid").read_text()))
    programs = daemon.children(recursive=True)
    daemon.kill()
    psutil.wait_procs([daemon, *programs], timeout=20)


@pytest.mark.parametrize(
    ("damage", "shown", "words"),
    [
        (edit_routes, "TrafficSwitch", "the route file was edited by hand"),
        (delete_routes, "TrafficSwitch", "the route file was deleted"),
        (stop_gateway, "Gateway", "Envoy is down"),
        (stop_server, "TritonServer", ""),
        (kill_everything, "Gateway", "Envoy is down"),
    ],
)
def test_damage_is_shown_by_preview_and_mended_by_up(
    project: Project, damage: Callable[[Project], None], shown: str, words: str
) -> None:
    attempts = len(project.attempts())
    damage(project)
    preview = project.preview()
    assert preview.changes
    assert f"tidegate:index:{shown}" in preview.output
    assert words in preview.output
    project.up()
    assert not project.preview().changes
    client = project.client()
    reply = client.binary(client.example())
    assert reply.status == "200"
    assert reply.headers["x-tidegate-revision"] == project.revision("1")
    assert len(project.attempts()) == attempts


def test_a_port_that_another_process_took_is_left_to_it(project: Project) -> None:
    """After a reboot supervisor starts the server on its old port, again and again."""
    slot = project.local.slots.record(project.revision("1"))
    assert slot is not None
    attempts = len(project.attempts())
    kill_everything(project)
    with socket.create_server(("127.0.0.1", slot.http_port)):
        project.up()
        moved = project.local.slots.record(project.revision("1"))
        assert moved is not None
        assert set(moved.ports).isdisjoint(slot.ports)
        client = project.client()
        assert client.binary(client.example()).status == "200"
        assert not project.preview().changes
    assert len(project.attempts()) == attempts


@pytest.mark.parametrize("program", ["gateway", "live server"])
def test_killed_server_is_back_by_itself_and_up_changes_nothing(
    project: Project, program: str
) -> None:
    name = "gateway" if program == "gateway" else project.revision("1")
    killed = project.pid(name)
    os.kill(killed, signal.SIGKILL)
    client = project.client()

    def answers() -> bool:
        reply = client.grpc(client.example())
        return reply.status == "OK" and project.pid(name) != killed

    wait_for(f"a prediction after {program} was killed", answers)
    assert not project.up().changes


def test_weights_set_by_hand_are_named_by_preview_and_refresh_and_put_back(
    project: Project, load_on: Callable[[Project], BackgroundLoad]
) -> None:
    project.declare_digits("1", standby="2")
    project.up()
    live, standby = project.revision("1"), project.revision("2")
    files = project.local.gateway.discovery
    declared = next(each for each in files.services() if each.service == SERVICE)
    with load_on(project) as load:
        files.put_service(replace(declared, weights={live: 60, standby: 40}))

        preview = project.preview()
        assert f"{live} has 60%, declared 100%" in preview.output
        assert f"{standby} has 40%, declared 0%" in preview.output
        refreshed = project.refresh("--diff")
        assert "weights" in refreshed.output
        assert "updated" in refreshed.output
        project.up()

    assert project.weights() == {live: 100, standby: 0}
    assert not project.refresh().changes
    assert load.report().failures == []


def test_refresh_of_a_healthy_stack_changes_nothing(project: Project) -> None:
    assert not project.refresh().changes
    assert not project.preview().changes
