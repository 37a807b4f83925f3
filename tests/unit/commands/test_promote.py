"""`tidegate promote`: which lines change, and what is refused."""

import pytest

from tests.unit.commands.conftest import Scene
from tidegate.gate.verdict import Outcome

pytestmark = pytest.mark.unit


def test_the_former_release_becomes_the_standby(scene: Scene) -> None:
    scene.declare("digits@1", None)

    result = scene.run("promote", "digits", "digits@2")

    assert result.exit_code == 0, result.output
    assert scene.declared == ("digits@2", "digits@1")
    assert "its gate has passed here" in result.output
    assert "pulumi up --stack test" in result.output


@pytest.mark.parametrize(
    ("choice", "declared"),
    [("former", ("digits@1", "digits@2")), ("none", ("digits@1", None))],
)
def test_who_stands_by_is_a_choice(
    scene: Scene, choice: str, declared: tuple[str, str | None]
) -> None:
    assert scene.run("promote", "digits", "1", "--standby", choice).exit_code == 0
    assert scene.declared == declared


def test_a_release_without_a_verdict_is_said_to_be_gated(scene: Scene) -> None:
    scene.declare("digits@2", None)
    verdict = scene.stack.folder.gate(scene.revision("1")) / "runs" / "001" / "verdict.json"
    verdict.write_text(verdict.read_text().replace(Outcome.PASS.value, Outcome.FAIL.value))

    assert "runs its gate first" in scene.run("promote", "digits", "1").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("digits", "digits@9"), "there are: digits@1, digits@2"),
        (("digits", "letters@1"), "no release of digits"),
        (("digits", "../x"), "there are: digits@1, digits@2"),
        (("letters", "letters@1"), "one of: digits"),
        (("digits", "1", "--standby", "keep"), "--standby none"),
    ],
)
def test_what_cannot_be_promoted_leaves_the_file_alone(
    scene: Scene, arguments: tuple[str, ...], said: str
) -> None:
    before = scene.stack_file.read_text()

    result = scene.run("promote", *arguments)

    assert result.exit_code == 2
    assert said in result.output
    assert scene.stack_file.read_text() == before


def test_what_is_declared_already_changes_nothing(scene: Scene) -> None:
    before = scene.stack_file.read_text()

    result = scene.run("promote", "digits", "2")

    assert result.exit_code == 0
    assert "says so already" in result.output
    assert scene.stack_file.read_text() == before
