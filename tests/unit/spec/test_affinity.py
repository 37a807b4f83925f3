import pytest
from pydantic import ValidationError

from tidegate.spec.traffic import Affinity

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("header", ["x-digits-session", "x-session"])
def test_a_session_may_have_a_header_of_its_own(header: str) -> None:
    assert Affinity(header=header).header == header


@pytest.mark.parametrize(
    "header",
    [
        "x-tidegate-revision",
        "x-envoy-retry-on",
        "x-request-id",
        "x-forwarded-for",
        "content-type",
        "te",
    ],
)
def test_a_header_that_has_another_meaning_is_refused(header: str) -> None:
    with pytest.raises(ValidationError, match=r"such as x-digits-session"):
        Affinity(header=header)
