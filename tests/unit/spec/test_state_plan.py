"""A place for the state of stacks, on the cloud that it names."""

from typing import Any

import pytest

from tidegate.spec.catalogue import Cloud
from tidegate.spec.errors import SpecError
from tidegate.spec.state_plan import StatePlan, check_state

pytestmark = pytest.mark.unit


def plan(**changes: Any) -> StatePlan:
    ownership = {"owner": "platform", "team": "serving", "environment": "shared"}
    document = {"name": "acme-state", "cloud": "aws", "region": "us-east-1", "ownership": ownership}
    return StatePlan.model_validate(document | changes)


@pytest.mark.parametrize("changes", [{}, {"cloud": "gcp", "project": "acme"}])
def test_its_bucket_keeps_every_version_and_can_be_written_again(changes: dict[str, Any]) -> None:
    state = plan(**changes)

    check_state(state, state.cloud)

    assert (state.bucket.name_prefix, state.bucket.lock_days) == ("acme-state", None)


@pytest.mark.parametrize(
    ("changes", "cloud", "field"),
    [
        ({}, "gcp", "cloud"),
        ({"cloud": "gcp", "project": "acme"}, "aws", "cloud"),
        ({"project": "acme"}, "aws", "project"),
        ({"cloud": "gcp"}, "gcp", "project"),
    ],
)
def test_what_its_component_cannot_make_is_refused(
    changes: dict[str, Any], cloud: Cloud, field: str
) -> None:
    with pytest.raises(SpecError) as raised:
        check_state(plan(**changes), cloud)

    assert raised.value.field == field
