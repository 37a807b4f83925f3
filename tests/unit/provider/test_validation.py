from typing import Any

import pytest

from tests.unit.provider.widget import WidgetInputs
from tidegate.provider.handler import CheckFailure
from tidegate.provider.validation import explain
from tidegate.provider.values import UNKNOWN

pytestmark = pytest.mark.unit


def failures(values: dict[str, Any], secret_names: frozenset[str] = frozenset()) -> Any:
    found, model = explain(WidgetInputs, values, secret_names)
    assert model is None
    return found


def test_right_and_known_inputs_give_the_model() -> None:
    found, model = explain(WidgetInputs, {"name": "w", "size": 2, "__defaults": []})

    assert found == []
    assert model == WidgetInputs(name="w", size=2)


def test_a_missing_property_is_named() -> None:
    assert failures({"size": 2}) == [
        CheckFailure("name", "is missing; add it, or mend the resource that its value comes from")
    ]


def test_an_unknown_key_is_named() -> None:
    (failure,) = failures({"name": "w", "colour": "red"})

    assert failure.property == "colour"
    assert "not a property of this resource" in failure.reason


def test_a_wrong_value_is_shown_with_the_rule_it_breaks() -> None:
    (failure,) = failures({"name": "w", "size": 11})

    assert failure.property == "size"
    assert "less than or equal to 10" in failure.reason
    assert "it is 11" in failure.reason


def test_a_wrong_value_inside_a_list_is_named_by_its_path() -> None:
    (failure,) = failures({"name": "w", "parts": [{"label": "a", "count": 0}]})

    assert failure.property == "parts[0].count"


def test_values_not_yet_known_are_passed_over() -> None:
    found, model = explain(
        WidgetInputs,
        {"name": UNKNOWN, "size": UNKNOWN, "parts": [{"label": UNKNOWN, "count": 1}]},
    )

    assert found == []
    assert model is None


def test_values_not_yet_known_do_not_hide_other_errors() -> None:
    assert [each.property for each in failures({"name": UNKNOWN, "size": 0})] == ["size"]


def test_unknown_values_that_any_type_would_take_give_no_model() -> None:
    found, model = explain(WidgetInputs, {"name": "w", "options": {"later": UNKNOWN}})

    assert found == []
    assert model is None


def test_a_secret_never_appears_in_a_reason() -> None:
    (failure,) = failures({"name": "w", "password": "hunter2"}, frozenset({"password"}))

    assert failure.property == "password"
    assert "at least 8 characters" in failure.reason
    assert "hunter2" not in failure.reason


def test_a_secret_does_not_appear_in_an_error_about_several_properties() -> None:
    part = {"label": "a", "count": 1}
    (failure,) = failures(
        {"name": "w", "parts": [part, part], "password": "hunter2-long"}, frozenset({"password"})
    )

    assert "more parts than fit" in failure.reason
    assert "hunter2-long" not in failure.reason
