"""A stack file's releases are changed, and nothing else of it."""

from pathlib import Path

import pytest
import yaml

from tidegate.spec.errors import SpecError
from tidegate.stack_file import ServiceReleases, StackFile

pytestmark = pytest.mark.unit

SHIPPED = """\
# The platform of everybody.
config:
  pulumi:disable-default-providers:
    - tidegate
  tidegate:services:
    digits:
      release: digits@2 # takes the traffic
      standby: "digits@1"   # stays warm

      gate: {profile: quick,   slos: {p95: 50}}
    letters:
      release: letters@1
encryptionsalt: v1:HaDs=:v1:s1wh:Nlb==
"""


def stack_file(text: str) -> StackFile:
    return StackFile(Path("stacks/Pulumi.test.yaml"), text)


def test_swapping_changes_two_values_and_no_other_byte() -> None:
    before = stack_file(SHIPPED)
    swapped = before.releases("digits").swapped()
    assert swapped == ServiceReleases("digits@1", "digits@2")

    changed = before.with_releases("digits", swapped)

    expected = SHIPPED.replace("release: digits@2", "release: digits@1")
    assert changed.text == expected.replace('"digits@1"   #', '"digits@2"   #')
    assert changed.with_releases("digits", ServiceReleases("digits@2", "digits@1")).text == SHIPPED


def test_the_difference_names_the_file_and_shows_the_lines() -> None:
    before = stack_file(SHIPPED)

    lines = before.difference_to(
        before.with_releases("letters", ServiceReleases("letters@2", None))
    )

    assert lines[0] == "--- stacks/Pulumi.test.yaml"
    assert "-      release: letters@1" in lines
    assert "+      release: letters@2" in lines
    assert not [each for each in lines if "digits" in each]


def test_a_standby_is_added_below_the_release_and_its_comment_stays() -> None:
    text = (
        "config:\n  tidegate:services:\n    a:\n      release: a@1 # why\n      drainSeconds: 5\n"
    )

    changed = stack_file(text).with_releases("a", ServiceReleases("a@2", "a@1"))

    assert changed.text == text.replace("a@1 # why\n", "a@2 # why\n      standby: a@1\n")


def test_a_standby_is_removed_with_its_line() -> None:
    changed = stack_file(SHIPPED).with_releases("digits", ServiceReleases("digits@2", None))

    assert changed.text == SHIPPED.replace('      standby: "digits@1"   # stays warm\n', "")


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("{release: a@1}", ServiceReleases("a@2", "a@1"), "{release: a@2, standby: a@1}"),
        ("{release: a@1, standby: a@2}", ServiceReleases("a@1", None), "{release: a@1}"),
        ("{standby: 'a@2', release: a@1}", ServiceReleases("a@2", "a@1"), None),
        ("{standby: a@2, release: a@1}", ServiceReleases("a@1", None), "{release: a@1}"),
    ],
)
def test_services_on_one_line_stay_on_one_line(
    before: str, wanted: ServiceReleases, after: str | None
) -> None:
    head = "config:\n  tidegate:services:\n    a: "

    changed = stack_file(f"{head}{before}\n").with_releases("a", wanted)

    assert changed.text == f"{head}{after or '''{standby: 'a@1', release: a@2}'''}\n"


def test_line_breaks_of_windows_and_a_missing_last_one_stay() -> None:
    text = "config:\r\n  tidegate:services:\r\n    a:\r\n      release: a@1"

    changed = stack_file(text).with_releases("a", ServiceReleases("a@2", "a@1"))

    assert changed.text == text.replace("a@1", "a@2") + "\r\n      standby: a@1"
    assert changed.with_releases("a", ServiceReleases("a@2", None)).releases("a").standby is None


@pytest.mark.parametrize(
    "service",
    [
        "x: &shared digits@1\n      release: *shared\n      standby: digits@2",
        "release: &shared digits@1\n      standby: digits@2\n      note: *shared",
        "release: >-\n        digits@1\n      standby: digits@2",
    ],
)
def test_what_cannot_be_changed_safely_is_refused(service: str) -> None:
    text = f"config:\n  tidegate:services:\n    digits:\n      {service}\n"
    yaml.safe_load(text)

    with pytest.raises(SpecError, match="by hand"):
        stack_file(text).with_releases("digits", ServiceReleases("digits@2", "digits@1"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHIPPED.replace("    digits:", "    numbers:"), "one of: numbers, letters"),
        ("config: {}\n", "does not declare services"),
        ("config: {tidegate:services: []}\n", "does not declare services"),
        ("", "does not declare services"),
        ("config: [\n", "no YAML"),
        ("config: {tidegate:services: {digits: {standby: x}}}\n", "declares no release"),
        ("config: {tidegate:services: {digits: {release: [x]}}}\n", "it is no text"),
    ],
)
def test_files_without_the_service_are_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        stack_file(text).releases("digits")


def test_a_missing_file_names_the_stacks_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(SHIPPED)

    with pytest.raises(SpecError, match=r"Pulumi\.prod\.yaml"):
        StackFile.load(tmp_path / "Pulumi.prd.yaml")


def test_a_written_file_is_the_text_and_a_link_stays_a_link(tmp_path: Path) -> None:
    target = tmp_path / "shared.yaml"
    target.write_bytes(SHIPPED.replace("\n", "\r\n").encode())
    link = tmp_path / "Pulumi.test.yaml"
    link.symlink_to(target)

    file = StackFile.load(link)
    file.with_releases("digits", ServiceReleases("digits@1", "digits@2")).write()

    assert link.is_symlink()
    assert b"release: digits@1 # takes the traffic\r\n" in target.read_bytes()
