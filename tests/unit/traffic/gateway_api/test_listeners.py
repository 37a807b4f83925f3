"""What a Gateway's status says about its listeners."""

from typing import Any

import pytest

from tidegate.traffic.gateway_api.listeners import gateway_status

pytestmark = pytest.mark.unit

MISSING = "No valid secrets exist: certificate refs 0: Secret edge/tls does not exist."


def condition(name: str, status: str = "True", **more: Any) -> dict[str, Any]:
    return {"type": name, "status": status, "observedGeneration": 2, **more}


SERVED = [condition(each) for each in ("Accepted", "ResolvedRefs", "Programmed")]


def gateway(conditions: list[dict[str, Any]], **reference: str) -> dict[str, Any]:
    listener = {"name": "https", "tls": {"certificateRefs": [{"name": "tls", **reference}]}}
    return {
        "metadata": {"namespace": "edge", "name": "tidegate", "generation": 2},
        "spec": {"listeners": [listener]},
        "status": {"listeners": [{"name": "https", "conditions": conditions}]},
    }


def test_a_listener_is_served_when_all_of_its_conditions_are_met() -> None:
    status = gateway_status(gateway(SERVED))

    assert status.is_seen and status.refusals == ()


def test_what_was_said_about_an_earlier_generation_does_not_count() -> None:
    stale = [{**each, "observedGeneration": 1} for each in SERVED]

    assert not gateway_status(gateway(stale)).is_seen
    assert not gateway_status(gateway([])).is_seen


def test_a_missing_secret_is_named_with_its_listener_in_one_sentence() -> None:
    unresolved = condition("ResolvedRefs", "False", message=MISSING, reason="InvalidCertificateRef")
    invalid = condition("Programmed", "False", message="see other Conditions", reason="Invalid")

    (said,) = gateway_status(gateway([condition("Accepted"), unresolved, invalid])).refusals

    assert said.startswith("listener https of Gateway edge/tidegate has no valid certificate")
    assert "from Secret edge/tls: " in said
    assert said.endswith("make it, of type kubernetes.io/tls with tls.crt and tls.key")


def test_a_secret_elsewhere_that_nobody_permitted_is_told_how() -> None:
    refused = condition("ResolvedRefs", "False", message="not permitted", reason="RefNotPermitted")

    (said,) = gateway_status(gateway([refused], namespace="security")).refusals

    assert "from Secret security/tls: not permitted" in said
    assert said.endswith("permit it by a ReferenceGrant in the Secret's namespace")


def test_another_cause_is_told_in_the_controllers_words() -> None:
    conflict = condition("Accepted", "False", message="Port is in use.", reason="PortUnavailable")

    (said,) = gateway_status(gateway([conflict, condition("Programmed", "False")])).refusals

    assert said == "listener https of Gateway edge/tidegate is not served: Port is in use"
