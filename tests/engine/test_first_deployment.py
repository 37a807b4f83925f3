"""From nothing to a service that answers, and what its users get."""

from collections.abc import Callable

import httpx
import numpy as np
import pytest

from tests.engine.harness.inference import Arrays, InferenceClient, Reply
from tests.engine.harness.project import Project
from tidegate.gate.verdict import Outcome

pytestmark = pytest.mark.engine

PROTOCOLS: dict[str, Callable[[InferenceClient, Arrays], Reply]] = {
    "HTTP binary": InferenceClient.binary,
    "HTTP JSON": InferenceClient.json,
    "gRPC": InferenceClient.grpc,
}


@pytest.fixture(scope="module")
def stack(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    project.declare_digits("1", standby="2")
    project.up()
    return project


def test_first_up_gates_the_release_and_makes_it_live(stack: Project) -> None:
    live, standby = stack.revision("1"), stack.revision("2")
    outputs = stack.outputs()
    assert outputs["gateway"] == f"http://{stack.gateway}"
    assert outputs["grpc"] == stack.gateway
    service = outputs["services"]["digits"]
    assert (service["live"], service["standby"]) == (live, standby)
    assert "PASS" in service["gate"]
    assert {each.revision for each in stack.attempts()} == {live}
    *undecided, decided = [each.outcome for each in stack.attempts()]
    assert decided is Outcome.PASS
    assert set(undecided) <= {Outcome.INVALID, Outcome.INCONCLUSIVE}
    assert stack.servers() == {live, standby}
    assert stack.weights() == {live: 100, standby: 0}


def test_standby_is_shown_as_never_judged(stack: Project) -> None:
    gates = {
        each["id"]: each["outputs"]["outcome"]
        for each in stack.resources()
        if each["type"] == "tidegate:index:LoadTestGate"
    }
    assert gates == {stack.revision("1"): "PASS", stack.revision("2"): "NOT_RUN"}


def test_second_up_changes_nothing(stack: Project) -> None:
    before = stack.attempts()
    # With its preview, as `make up` runs it.
    run = stack.pulumi("up", "--yes", "--stack", "test")
    assert not run.changes, run.output
    assert stack.attempts() == before


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_prediction_names_its_revision_and_request(stack: Project, protocol: str) -> None:
    client = stack.client("1")
    reply = PROTOCOLS[protocol](client, client.example())
    assert reply.status in {"200", "OK"}, reply.text
    for name, expected in client.golden.outputs.items():
        np.testing.assert_allclose(reply.outputs[name], expected[:1], rtol=1e-4, atol=1e-5)
    assert reply.headers["x-tidegate-revision"] == stack.revision("1")
    assert len(reply.headers["x-request-id"]) == 36
    assert int(reply.headers["x-envoy-upstream-service-time"]) >= 0


@pytest.mark.parametrize("path", ["/healthz", "/healthz/digits"])
def test_health_endpoint_tells_that_a_revision_is_live(stack: Project, path: str) -> None:
    response = httpx.get(f"http://{stack.gateway}{path}", trust_env=False)
    assert response.status_code == httpx.codes.OK
    assert response.headers["x-tidegate-revision"] == stack.revision("1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": [17] * 64}, "17"),
        ({"shape": [1, 4, 16]}, "got [1,4,16]"),
        ({"name": "picture"}, "picture"),
        ({"datatype": "FP64"}, "FP64"),
    ],
    ids=["value out of range", "shape", "unknown input", "datatype"],
)
def test_schema_violation_over_json_gets_400_with_a_reason(
    stack: Project, change: dict[str, object], words: str
) -> None:
    client = stack.client("1")
    reply = client.json(client.example(), **change)
    assert reply.status == "400", reply.text
    assert words in reply.text


def test_schema_violation_over_grpc_is_an_invalid_argument(stack: Project) -> None:
    client = stack.client("1")
    too_bright = {name: np.full_like(values, 17) for name, values in client.example().items()}
    reply = client.grpc(too_bright)
    assert reply.status == "INVALID_ARGUMENT"
    assert "17" in reply.text


def test_unknown_model_gets_404_with_what_there_is(stack: Project) -> None:
    response = httpx.post(f"http://{stack.gateway}/v2/models/letters/infer", trust_env=False)
    assert response.status_code == httpx.codes.NOT_FOUND
    assert response.json()["paths"] == ["/v2/models/digits/infer"]
