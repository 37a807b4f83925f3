import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit


class Sample(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rate: float = Field(gt=0)


def error_of(content: object) -> SpecError:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(content)
    return SpecError.from_validation(caught.value, "sample.yaml")


def test_says_field_value_reason_and_mend() -> None:
    error = SpecError("port", 80, "it is taken", "a free port")
    assert str(error) == "port: 80 cannot work: it is taken. Instead: a free port."


def test_missing_key_is_named() -> None:
    assert "add 'rate'" in str(error_of({}))


def test_unknown_key_is_named_with_its_file() -> None:
    error = error_of({"rate": 1, "rats": 2})
    assert error.field == "sample.yaml: rats"
    assert "unknown" in error.why


def test_broken_rule_gives_the_value_and_what_to_write() -> None:
    error = error_of({"rate": -1})
    assert error.value == -1
    assert "greater than 0" in error.instead


def test_several_findings_are_counted() -> None:
    assert "1 more to mend" in str(error_of({"rate": -1, "rats": 2}))
