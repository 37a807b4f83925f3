"""Every bad stack file is answered with file, key and mend."""

import json
from typing import Any

import pytest

from settings import Settings, SettingsError, load_settings

pytestmark = pytest.mark.unit

FILE = "stacks/Pulumi.test.yaml"
PLATFORM: dict[str, Any] = {"local": {}}


def load(services: object = None, platform: object = None, **more: str) -> Settings:
    """Settings of a stack file, as the engine passes them on."""
    configuration = {
        "tidegate:platform": json.dumps(PLATFORM if platform is None else platform),
        "tidegate:services": json.dumps(services if services is not None else {}),
        "pulumi:disable-default-providers": '["tidegate"]',
        **more,
    }
    return load_settings(configuration, FILE)


def finding(services: object = None, platform: object = None, **more: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(services, platform, **more)
    (sentence,) = raised.value.findings
    return sentence


def digits(**changes: object) -> dict[str, Any]:
    return {"digits": {"release": "digits@1"} | changes}


def test_a_right_file_is_read() -> None:
    settings = load(
        digits(standby="digits@2", gate={"profile": "standard", "slos": {"p95": 40}}),
        {"local": {"gateway": {"port": 8080, "adminPort": 9901}}},
    )

    service = settings.services["digits"]
    assert (service.release, service.standby) == ("digits@1", "digits@2")
    assert service.gate.slos == {"p95": 40}
    assert settings.platform is not None
    assert settings.platform.local is not None
    assert settings.platform.local.gateway.admin_port == 9901


def test_what_is_left_out_has_a_default() -> None:
    service = load(digits()).services["digits"]

    assert service.standby is None
    assert service.gate.profile == "quick"
    assert (service.request_timeout_seconds, service.drain_seconds) == (30, 30)


def test_settings_of_other_programs_are_none_of_ours() -> None:
    assert load(digits(), **{"aws:region": "eu-central-1"}).services


@pytest.mark.parametrize(
    ("services", "key", "mend"),
    [
        (digits(stanby="digits@2"), "digits.stanby", "write 'standby'"),
        (digits(gate={"profil": "quick"}), "digits.gate.profil", "write 'profile'"),
        (
            digits(probes={"readyTimeoutSecond": 9}),
            "digits.probes.readyTimeoutSecond",
            "write 'readyTimeoutSeconds'",
        ),
        (digits(switch={"bakeSecond": 9}), "digits.switch.bakeSecond", "write 'bakeSeconds'"),
        (digits(affinity={"cooky": "a"}), "digits.affinity.cooky", "write 'cookie'"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_known_one(
    services: object, key: str, mend: str
) -> None:
    assert finding(services) == (
        f"{FILE}: tidegate:services.{key}: is an unknown key. Instead: {mend}."
    )


def test_an_unknown_key_like_no_other_is_answered_with_all_known_ones() -> None:
    sentence = finding(digits(colour="red"))

    assert "tidegate:services.digits.colour: is an unknown key" in sentence
    assert "remove it; known here: affinity, drainSeconds, gate, kubernetes, make" in sentence


def test_an_unknown_key_of_a_service_named_like_a_key_is_answered_alike() -> None:
    sentence = finding({"gate": {"release": "gate@1", "stanby": "gate@2"}})

    assert "tidegate:services.gate.stanby" in sentence
    assert "write 'standby'" in sentence


def test_an_unknown_key_at_the_top_and_in_the_platform() -> None:
    top = finding(digits(), **{"tidegate:service": "{}"})
    port = finding(digits(), {"local": {"gateway": {"prot": 8080}}})

    assert top == f"{FILE}: tidegate:service: is an unknown key. Instead: write 'services'."
    assert port.startswith(f"{FILE}: tidegate:platform.local.gateway.prot: is an unknown key")
    assert "write 'port'" in port


@pytest.mark.parametrize(
    ("services", "key", "value", "mend"),
    [
        (digits(release=2), "digits.release", "2", "valid string"),
        (digits(standby=["digits@2"]), "digits.standby", "['digits@2']", "valid string"),
        (digits(drainSeconds="long"), "digits.drainSeconds", "'long'", "valid number"),
        (digits(drainSeconds=-1), "digits.drainSeconds", "-1", "greater than or equal to 0"),
        (digits(requestTimeoutSeconds=0), "digits.requestTimeoutSeconds", "0", "greater than 0"),
        (digits(gate={"slos": {"p95": "fast"}}), "digits.gate.slos.p95", "'fast'", "valid number"),
        (digits(gate=7), "digits.gate", "7", "valid dictionary"),
        (
            digits(probes={"readyTimeoutSeconds": 0}),
            "digits.probes.readyTimeoutSeconds",
            "0",
            "greater than 0",
        ),
        (digits(retry="x"), "digits.retry", "'x'", "at least 3 characters"),
        (digits(retries=-1), "digits.retries", "-1", "greater than or equal to 0"),
        (digits(maxStreamSeconds=0), "digits.maxStreamSeconds", "0", "greater than 0"),
        (
            digits(switch={"strategy": "canary", "steps": [{"weight": 100}]}),
            "digits.switch.steps.0.weight",
            "100",
            "less than 100",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_shown_with_what_would(
    services: object, key: str, value: str, mend: str
) -> None:
    sentence = finding(services)

    assert sentence.startswith(f"{FILE}: tidegate:services.{key}: {value} cannot work. Instead: ")
    assert mend in sentence


def test_a_switch_is_read_with_its_defaults() -> None:
    steps = [{"weight": 5}, {"weight": 25, "seconds": 90}]
    service = load(digits(switch={"strategy": "canary", "steps": steps})).services["digits"]

    assert [(step.weight, step.seconds) for step in service.switch.steps] == [(5, 60), (25, 90)]
    assert service.switch.max_regression.latency == {"p95": 0.25}
    assert (service.affinity, service.retries, service.max_stream_seconds) == (None, 0, None)


@pytest.mark.parametrize(
    ("switch", "mend"),
    [
        ({"strategy": "canary", "steps": [{"weight": 25}, {"weight": 5}]}, "weights that rise"),
        ({"strategy": "canary"}, "at least one step"),
        ({"steps": [{"weight": 5}]}, "`strategy: canary`, or remove the steps"),
    ],
)
def test_a_switch_that_cannot_work(switch: dict[str, Any], mend: str) -> None:
    sentence = finding(digits(switch=switch))

    assert sentence.startswith(f"{FILE}: tidegate:services.digits.switch: ")
    assert mend in sentence.partition("Instead: ")[2]


def test_services_that_are_no_mapping() -> None:
    assert f"{FILE}: tidegate:services: 'digits' cannot work" in finding("digits")


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_port_that_is_none(port: int) -> None:
    sentence = finding(digits(), {"local": {"gateway": {"port": port}}})

    assert sentence.startswith(f"{FILE}: tidegate:platform.local.gateway.port: {port} cannot work")


def test_one_port_for_two_things() -> None:
    sentence = finding(digits(), {"local": {"gateway": {"port": 8080, "adminPort": 8080}}})

    assert sentence.startswith(f"{FILE}: tidegate:platform.local.gateway: ")
    assert sentence.endswith("Instead: write two different ports.")


@pytest.mark.parametrize("evidence", ["s3://bucket/team", "gs://bucket", "/var/evidence", "kept"])
def test_evidence_may_lie_in_a_bucket_or_a_folder(evidence: str) -> None:
    platform = load(digits(), {"local": {"evidence": evidence}}).platform
    assert platform is not None
    local = platform.local
    assert local is not None
    assert local.evidence == evidence


def test_an_address_that_keeps_no_evidence() -> None:
    assert finding(digits(), {"local": {"evidence": "ftp://host/team"}}) == (
        f"{FILE}: tidegate:platform.local.evidence: 'ftp://host/team' cannot work: no evidence can "
        "be kept there. Instead: a folder, file:///folder, s3://bucket/prefix or gs://bucket/prefix."
    )


def test_credentials_in_the_address_of_evidence_are_not_repeated() -> None:
    sentence = finding(digits(), {"local": {"evidence": "s3://key:hidden-word@bucket/team"}})

    assert sentence.startswith(f"{FILE}: tidegate:platform.local.evidence: ")
    assert "credentials in the environment" in sentence
    assert "hidden-word" not in sentence


def test_a_missing_key_is_named() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({"tidegate:services": json.dumps({"digits": {}})}, FILE)

    assert raised.value.findings == [
        f"{FILE}: tidegate:platform: is missing. Instead: add it.",
        f"{FILE}: tidegate:services.digits.release: is missing. Instead: add it.",
    ]


def test_every_finding_is_reported_at_once_on_a_line_of_its_own() -> None:
    with pytest.raises(SettingsError) as raised:
        load(digits(stanby="digits@2", drainSeconds=-1), {})

    assert len(raised.value.findings) == 3
    assert str(raised.value).splitlines() == raised.value.findings
