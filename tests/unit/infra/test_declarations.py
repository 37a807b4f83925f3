"""From a right-looking stack file to revisions and profiles, or to all that is wrong with it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from declarations import ServiceDeclaration, declare
from settings import Settings, SettingsError

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
FILE = "stacks/Pulumi.test.yaml"


def declared(root: Path = ROOT, /, **services: Any) -> list[ServiceDeclaration]:
    settings = Settings.model_validate({"platform": {"local": {}}, "services": services})
    return declare(settings, root, "local", FILE)


def findings(root: Path = ROOT, /, **services: Any) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        declared(root, **services)
    return raised.value.findings


def test_releases_become_revisions_and_the_profile_gets_the_services_limits() -> None:
    (service,) = declared(
        digits={
            "release": "digits@1",
            "standby": "digits@2",
            "gate": {"slos": {"p95": 40.0}, "maxErrorRate": 0.02},
        }
    )

    assert service.name == "digits"
    assert service.live.id.startswith("digits-1-")
    assert service.standby is not None
    assert service.standby.id.startswith("digits-2-")
    assert service.profile.slos == {"p95": 40.0}
    assert service.profile.max_error_rate == 0.02


def test_a_standby_is_optional() -> None:
    (service,) = declared(digits={"release": "digits@1"})

    assert service.standby is None


def test_probes_are_part_of_the_revision_and_the_gate_is_not() -> None:
    (plain,) = declared(digits={"release": "digits@1"})
    (gated,) = declared(digits={"release": "digits@1", "gate": {"slos": {"p95": 30.0}}})
    (probed,) = declared(digits={"release": "digits@1", "probes": {"readyTimeoutSeconds": 5}})

    assert gated.live.id == plain.live.id
    assert probed.live.id != plain.live.id


@pytest.mark.parametrize("key", ["release", "standby"])
def test_a_release_that_does_not_exist(key: str) -> None:
    (finding,) = findings(digits={"release": "digits@1"} | {key: "digits@9"})

    assert finding.startswith(f"{FILE}: tidegate:services.digits.{key}: ")
    assert "'digits@9' cannot work" in finding
    assert "Instead: " in finding
    assert "digits@1" in finding.partition("Instead:")[2]


@pytest.mark.parametrize("text", ["digits", "2", "letters@1", "digits@", "@1"])
def test_a_release_of_another_form_or_service(text: str) -> None:
    (finding,) = findings(digits={"release": text})

    assert finding.startswith(f"{FILE}: tidegate:services.digits.release: ")
    assert "not of the form digits@<release>" in finding


def test_a_release_name_reaches_no_other_file() -> None:
    (finding,) = findings(digits={"release": "digits@../digits/1"})

    assert "cannot work" in finding


def test_a_service_without_releases() -> None:
    (finding,) = findings(letters={"release": "letters@1"})

    assert finding.startswith(f"{FILE}: tidegate:services.letters.release: service: 'letters'")


def test_a_standby_equal_to_the_release() -> None:
    assert findings(digits={"release": "digits@1", "standby": "digits@1"}) == [
        f"{FILE}: tidegate:services.digits.standby: 'digits@1' cannot work: it is the release "
        "that takes the traffic. Instead: write another release, or remove the key."
    ]


@pytest.mark.parametrize(
    ("gate", "field", "mend"),
    [
        ({"slos": {"p95": 0.0}}, "slos.p95: 0.0", "milliseconds above 0"),
        ({"slos": {"p95": -5.0}}, "slos.p95: -5.0", "milliseconds above 0"),
        ({"slos": {}}, "slos: {}", "{p95: 100}"),
        ({"slos": {"fast": 10.0}}, "slos: 'fast'", "p50, p95 or p99"),
        ({"slos": {"p95": 60000.0}}, "slos.p95: 60000.0", "an SLO below deadlineSeconds"),
        ({"maxErrorRate": 0.0}, "maxErrorRate: 0.0", "a share above 0"),
        ({"ratePerSecond": -1.0}, "ratePerSecond: -1.0", "a number above 0"),
        ({"profile": "quik"}, "profile: 'quik'", "quick"),
    ],
)
def test_a_gate_that_cannot_decide(gate: dict[str, Any], field: str, mend: str) -> None:
    (finding,) = findings(digits={"release": "digits@1", "gate": gate})

    assert finding.startswith(f"{FILE}: tidegate:services.digits.gate: {field} cannot work: ")
    assert mend in finding.partition("Instead: ")[2]


def test_a_drain_shorter_than_the_longest_stream_allowed() -> None:
    (finding,) = findings(
        digits={"release": "digits@1", "maxStreamSeconds": 60.0, "drainSeconds": 30.0}
    )

    assert finding.startswith(f"{FILE}: tidegate:services.digits: drainSeconds: 30.0 cannot work")
    assert "drainSeconds: 60 or more" in finding


def test_a_manifest_that_was_edited_is_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "serving" / "releases", tmp_path / "serving" / "releases")
    shutil.copytree(ROOT / "loadtests" / "profiles", tmp_path / "loadtests" / "profiles")
    manifest = tmp_path / "serving" / "releases" / "digits" / "1.yaml"
    manifest.write_text(manifest.read_text().replace("sha256:", "sha1:"))

    (finding,) = findings(tmp_path, digits={"release": "digits@1"})

    assert finding.startswith(f"{FILE}: tidegate:services.digits.release: ")
    assert str(manifest) in finding


def test_two_services_with_a_model_of_the_same_name(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "serving" / "releases", tmp_path / "serving" / "releases")
    shutil.copytree(ROOT / "loadtests" / "profiles", tmp_path / "loadtests" / "profiles")
    digits = tmp_path / "serving" / "releases" / "digits" / "1.yaml"
    other = tmp_path / "serving" / "releases" / "numerals" / "1.yaml"
    other.parent.mkdir()
    other.write_text(digits.read_text().replace("service: digits", "service: numerals"))

    (finding,) = findings(
        tmp_path, digits={"release": "digits@1"}, numerals={"release": "numerals@1"}
    )

    assert finding.startswith(f"{FILE}: tidegate:services.numerals.release: ")
    assert "model 'digits' is also served by 'digits'" in finding


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = findings(
        digits={"release": "digits@9", "gate": {"slos": {"p95": 0.0}}},
        letters={"release": "letters@1"},
    )

    assert len(found) == 3
