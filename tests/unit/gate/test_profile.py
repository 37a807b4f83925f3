"""Profiles that cannot work are refused with the field and the mend; the shipped ones load."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.gate.builders import make_profile
from tidegate.gate.profile import (
    Profile,
    load_profile,
    needed_requests,
    override_profile,
    parse_profile,
)
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit

PROFILES = Path(__file__).resolve().parents[3] / "loadtests" / "profiles"


def fields(**changes: Any) -> dict[str, Any]:
    return make_profile().model_dump(by_alias=True) | changes


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_profiles_load_under_their_own_name(path: Path) -> None:
    assert load_profile(path).name == path.stem


def test_quick_profile_decides_in_about_a_minute_and_says_so() -> None:
    quick = load_profile(PROFILES / "quick.yaml")
    assert quick.total_seconds <= 60
    assert "quick" in quick.description


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ratePerSecond": 0}, "ratePerSecond: 0"),
        ({"ratePerSecond": -5}, "ratePerSecond: -5"),
        ({"durationSeconds": 0}, "durationSeconds: 0"),
        ({"warmUpSeconds": -1}, "warmUpSeconds"),
        ({"slos": {}}, "slos"),
        ({"slos": {"p95": 0}}, "slos.p95: 0"),
        ({"slos": {"p95": -3}}, "slos.p95: -3"),
        ({"slos": {"95": 100}}, "p50, p95 or p99"),
        ({"slos": {"p100": 100}}, "p50, p95 or p99"),
        ({"slos": {"p95": 5000}}, "beyond the deadline of 3 s"),
        ({"maxErrorRate": 0}, "maxErrorRate: 0"),
        ({"maxErrorRate": 1}, "maxErrorRate: 1"),
        ({"confidence": 1}, "confidence: 1"),
        ({"slos": {"p99": 100}}, "at least 300 seconds"),
        ({"slos": {"p99": 100}, "ratePerSecond": 200}, "a p99 passes by luck"),
        ({"slos": {"p98": 100}, "ratePerSecond": 50}, "at least 3 seconds"),
        ({"maxErrorRate": 0.001}, "at least 30 seconds"),
        ({"maxRequests": 10}, "maxRequests: 10"),
        ({"arrival": "bursty"}, "arrival"),
        ({"rate": 5}, "rate"),
        ({"slos": {"p95": float("nan")}}, "slos.p95"),
        ({"ratePerSecond": float("inf")}, "ratePerSecond"),
    ],
)
def test_profile_that_cannot_work_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_profile(fields(**change), "test.yaml")
    assert said in str(refused.value)


def test_missing_slos_are_refused() -> None:
    content = fields()
    del content["slos"]
    with pytest.raises(SpecError, match="slos"):
        parse_profile(content, "test.yaml")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "42"])
def test_file_that_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"broken\.yaml"):
        load_profile(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        load_profile(tmp_path / "none.yaml")


def test_service_settings_override_and_are_checked() -> None:
    profile = make_profile()
    changed = override_profile(profile, slos={"p90": 500}, rate_per_second=200)
    assert (changed.slos, changed.rate_per_second) == ({"p90": 500.0}, 200.0)
    assert changed.digest != profile.digest
    with pytest.raises(SpecError, match="profile test"):
        override_profile(profile, slos={"p90": "fast"})  # type: ignore[dict-item]
    with pytest.raises(SpecError, match="slos"):
        override_profile(profile, slos={"p90": -1})


def test_needed_requests_are_those_of_zero_misses() -> None:
    strict = Profile(
        **(make_profile().model_dump() | {"max_error_rate": 0.01, "rate_per_second": 200})
    )
    assert needed_requests(strict, 0.95) == 299
    assert needed_requests(strict, 0.99) == 459


def test_digest_depends_on_every_field_and_not_on_its_spelling() -> None:
    assert make_profile(seed=1).digest == make_profile(seed=1).digest
    assert make_profile(seed=1).digest != make_profile(seed=2).digest
    assert parse_profile(fields(), "test.yaml").digest == make_profile().digest
