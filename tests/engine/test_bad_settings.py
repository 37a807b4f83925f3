"""Stack files that cannot work: said at preview, with file, key and mend."""

import socket
from contextlib import closing
from typing import Any

import pytest

from tests.engine.harness.project import Project

pytestmark = pytest.mark.engine

FILE = "stacks/Pulumi.test.yaml"


def refused(project: Project) -> str:
    output = project.preview(expect_failure=True).output
    assert "Traceback" not in output
    assert "Instead:" in output
    return output


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"standbye": "digits@2"}, ("services.digits.standbye: is an unknown key", "'standby'")),
        (
            {"requestTimeoutSeconds": "long"},
            ("services.digits.requestTimeoutSeconds: 'long' cannot work",),
        ),
        ({"release": "digits@77"}, ("services.digits.release", "digits@77", "digits@1")),
        ({"standby": "digits@1"}, ("services.digits.standby: 'digits@1'", "takes the traffic")),
        (
            {"gate": {"profile": "test", "slos": {"p95": 0}}},
            ("services.digits.gate", "slos.p95", "milliseconds above 0"),
        ),
    ],
    ids=["unknown key", "wrong type", "no such release", "standby is the release", "SLO of zero"],
)
def test_mistake_is_named_with_file_key_and_mend(
    project: Project, settings: dict[str, Any], words: tuple[str, ...]
) -> None:
    project.declare_digits("1")
    service = {"release": "digits@1", "gate": {"profile": "test"}}
    project.declare({"digits": {**service, **settings}})
    output = refused(project)
    for each in (f"{FILE}: tidegate:", *words):
        assert each in output


def test_port_in_use_names_its_holder(project: Project) -> None:
    services = {"digits": {"release": "digits@1", "gate": {"profile": "test"}}}
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        project.declare(services, {"local": {"gateway": {"port": port}}})
        output = refused(project)
    assert f"{FILE}: tidegate:platform.local.gateway.port: {port}" in output
    assert "is held by" in output
