"""`tidegate status` of a stack on this machine."""

import json

import pytest

from tests.unit.commands.conftest import Scene
from tests.unit.provider.stand_ins import make_verdict
from tidegate.gate.verdict import Outcome

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL])
def test_a_gate_that_was_interrupted_takes_no_verdict_back(scene: Scene, outcome: Outcome) -> None:
    runs = scene.stack.folder.gate(scene.revision("1")) / "runs"
    make_verdict(outcome).write(runs / "001" / "verdict.json")
    (runs / "002").mkdir()

    result = scene.run("status", "--json")

    gates = {each["release"]: each["gate"] for each in json.loads(result.output)["revisions"]}
    assert gates == {"1": outcome.value, "2": "PASS"}
