"""docs/gate.md says what the code does."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from tests.unit.gate.needed_seconds import CONFIDENCE, needed_rows, profile_rows, seconds
from tidegate.gate.cli import app
from tidegate.gate.profile import Profile
from tidegate.gate.profile_rules import needed_requests
from tidegate.gate.statistics import attempt_confidence
from tidegate.gate.verdict import Outcome

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def guide() -> str:
    return (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")


def test_needed_seconds_are_those_of_the_code(guide: str) -> None:
    assert "\n".join(needed_rows()) in guide


def test_profiles_are_those_of_the_folder(guide: str) -> None:
    assert "\n".join(profile_rows(ROOT / "loadtests" / "profiles")) in guide


def test_every_key_of_a_profile_is_explained() -> None:
    text = (ROOT / "loadtests" / "README.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert {str(each.alias) for each in Profile.model_fields.values()} <= explained


@pytest.mark.parametrize(("share", "words"), [(0.001, "0.1%"), (0.005, "0.5%")])
def test_requests_for_an_error_rate_are_those_of_the_code(
    guide: str, share: float, words: str
) -> None:
    needed = needed_requests({"p50": 1.0}, share, CONFIDENCE)
    assert f"{words} takes {needed:,}" in guide


def test_attempts_get_what_the_guide_says(guide: str) -> None:
    parts = [f"{1 - attempt_confidence(0.95, attempt):.2%}" for attempt in (1, 2, 3)]
    assert f"{parts[0]}, {parts[1]}, {parts[2]} and so on" in guide


@pytest.mark.parametrize("outcome", list(Outcome))
def test_exit_codes_are_those_of_the_command(guide: str, outcome: Outcome) -> None:
    assert f"| {outcome} | {outcome.exit_code} |" in guide


def test_commands_and_options_exist(guide: str) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for line in re.findall(r"tidegate gate [^`$]+", guide):
        name, *words = line.split()[2:]
        if name in commands:
            known = {option for each in commands[name].params for option in each.opts}
            assert {word for word in words if word.startswith("--")} <= known, line


def test_more_headroom_and_a_higher_rate_never_take_longer() -> None:
    assert seconds("p95", 60, 0.25) < seconds("p95", 60, 0.75)
    assert seconds("p95", 60, 0.5) > seconds("p95", 100, 0.5)
    assert seconds("p99", 1000, 0.5) == 300


def test_the_example_of_the_seam_is_the_one_that_is_tested(guide: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    tested = (ROOT / "tests" / "unit" / "gate" / "test_protocol_seam.py").read_text("utf-8")
    assert example in tested
