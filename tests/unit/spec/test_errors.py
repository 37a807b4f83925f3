import pytest

from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit


def test_says_field_value_reason_and_mend() -> None:
    error = SpecError("port", 80, "it is taken", "a free port")
    assert str(error) == "port: 80 cannot work: it is taken. Instead: a free port."
