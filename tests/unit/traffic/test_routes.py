import pytest

from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit


def routes(**weights: int) -> ServiceRoutes:
    return ServiceRoutes("digits", ("digits",), weights, 30)


@pytest.mark.parametrize(
    ("weights", "live"),
    [
        ({"one": 100}, "one"),
        ({"one": 0, "two": 100}, "two"),
        ({"one": 90, "two": 10}, "one"),
        ({"one": 0}, None),
        ({}, None),
    ],
)
def test_the_live_revision_is_the_one_with_the_largest_share(
    weights: dict[str, int], live: str | None
) -> None:
    assert routes(**weights).live_revision == live


def test_a_revision_with_weight_0_is_referenced() -> None:
    both = routes(one=100, two=0)

    assert both.references("one")
    assert both.references("two")
    assert not both.references("three")
