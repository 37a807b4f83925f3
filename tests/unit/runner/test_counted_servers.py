"""Pods behind a gate's targets, as the runner tells the gate of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.gate.builders import make_request
from tests.unit.gate.kserve_fake import FakeServer
from tests.unit.runner.waiting import until
from tidegate.cluster import names
from tidegate.gate.request import GateRequest
from tidegate.gate.servers import servers_behind
from tidegate.runner import counted_servers
from tidegate.runner.counted_servers import CountedServers

pytestmark = pytest.mark.unit

REVISION = "doubler-2-0123abcd"
TARGET = names.target(REVISION, "team-a", names.METRICS_PORT)


def request_of(folder: Path) -> GateRequest:
    server = FakeServer(http_target="127.0.0.1:8000", grpc_target="127.0.0.1:8001")
    return make_request(folder, server, targets="cluster", metrics_target=TARGET)


def stand(api: ApiServer, pods: Sequence[tuple[str, str, bool]], family: str = "IPv4") -> None:
    endpoints: list[dict[str, Any]] = [
        {
            "addresses": [address],
            "conditions": {"ready": is_ready},
            "targetRef": {"kind": "Pod", "name": pod},
        }
        for pod, address, is_ready in pods
    ]
    # The port of the pods, which need not be the Service's.
    ports = [{"name": "http", "port": 8000}, {"name": names.METRICS_PORT_NAME, "port": 9002}]
    meta = {
        "name": f"{REVISION}-{family.lower()}",
        "labels": {"kubernetes.io/service-name": REVISION},
    }
    content = {"metadata": meta, "addressType": family, "endpoints": endpoints, "ports": ports}
    api.put("endpointslices", content)


async def test_every_ready_pod_is_told_and_stays_until_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counted_servers, "LOOK_SECONDS", 0.01)
    api = ApiServer()
    stand(api, [("a", "10.0.0.1", True), ("b", "10.0.0.2", True), ("c", "10.0.0.3", False)])
    both = {"a": "10.0.0.1:9002", "b": "10.0.0.2:9002"}
    made = CountedServers(api.cluster(), request_of(tmp_path), tmp_path)

    async with made.told():
        assert servers_behind(tmp_path, TARGET) == both
        stand(api, [("a", "10.0.0.1", True), ("b", "10.0.0.2", False), ("c", "10.0.0.3", True)])
        await until(lambda: servers_behind(tmp_path, TARGET) == {**both, "c": "10.0.0.3:9002"})
        stand(api, [("a", "10.0.0.1", True)])
        await until(lambda: servers_behind(tmp_path, TARGET) == {"a": "10.0.0.1:9002"})


async def test_a_pod_of_both_families_is_one(tmp_path: Path) -> None:
    api = ApiServer()
    stand(api, [("a", "10.0.0.1", True)])
    stand(api, [("a", "fd00::1", True)], "IPv6")

    async with CountedServers(api.cluster(), request_of(tmp_path), tmp_path).told():
        assert servers_behind(tmp_path, TARGET) == {"a": "10.0.0.1:9002"}


async def test_an_api_server_that_is_silent_at_the_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counted_servers, "LOOK_SECONDS", 0.01)
    api = ApiServer(refusals=[(503, "starting"), (503, "starting")])
    stand(api, [("a", "fd00::1", True)], "IPv6")

    async with CountedServers(api.cluster(), request_of(tmp_path), tmp_path).told():
        assert servers_behind(tmp_path, TARGET) == {"a": "[fd00::1]:9002"}
