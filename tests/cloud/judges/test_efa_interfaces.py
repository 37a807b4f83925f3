"""EFA interfaces of every type, against what AWS publishes.

The table is written by hand. The largest numbers of interfaces are EfaInfo.MaximumEfaInterfaces
(also the resource vpc.amazonaws.com/efa in https://karpenter.sh/v1.14/reference/instance-types/);
cards and devices are those of
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html: an ENA interface at
card 0, device 0; an EFA-only one at card 0, device 1 when card 0 has EFA; device 0 of the others.
"""

import pytest

from tidegate.spec.catalogue import machine_type, machine_types
from tidegate.spec.errors import SpecError
from tidegate.spec.fabric import efa_interfaces

pytestmark = pytest.mark.cloud

Position = tuple[int, int]

ONE: list[Position] = [(0, 1)]
TWO: list[Position] = [(0, 1), (1, 0)]
FOUR: list[Position] = [(0, 1), (1, 0), (2, 0), (3, 0)]
EIGHT: list[Position] = [(0, 1), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0)]

# Card and device of every EFA-only interface.
PUBLISHED: dict[str, list[Position]] = {
    "p4d.24xlarge": FOUR,
    "p4de.24xlarge": FOUR,
    "p5.4xlarge": ONE,
    "p5.48xlarge": [(0, 1), *((card, 0) for card in range(1, 32))],
    "p5e.48xlarge": [(0, 1), *((card, 0) for card in range(1, 32))],
    "p5en.48xlarge": [(0, 1), *((card, 0) for card in range(1, 16))],
    "p6-b200.48xlarge": EIGHT,
    # 17 cards, and the first has no EFA.
    "p6-b300.48xlarge": [(card, 0) for card in range(1, 17)],
    # 17 cards, EFA on every fourth: 4 of 400 Gbit/s.
    "p6e-gb200.36xlarge": [(1, 0), (5, 0), (9, 0), (13, 0)],
    "g5.8xlarge": ONE,
    "g5.12xlarge": ONE,
    "g5.16xlarge": ONE,
    "g5.24xlarge": ONE,
    "g5.48xlarge": ONE,
    "g6.8xlarge": ONE,
    "g6.12xlarge": ONE,
    "g6.16xlarge": ONE,
    "g6.24xlarge": ONE,
    "g6.48xlarge": ONE,
    "g6e.8xlarge": ONE,
    "g6e.12xlarge": ONE,
    "g6e.16xlarge": ONE,
    "g6e.24xlarge": TWO,
    "g6e.48xlarge": FOUR,
    "g7e.8xlarge": ONE,
    "g7e.12xlarge": ONE,
    "g7e.24xlarge": TWO,
    "g7e.48xlarge": FOUR,
}

# The other layout of a type that has two: 8 of 200 Gbit/s on the odd cards.
PUBLISHED_ALSO: dict[tuple[str, int], list[Position]] = {
    ("p6e-gb200.36xlarge", 8): [
        (1, 0), (3, 0), (5, 0), (7, 0), (9, 0), (11, 0), (13, 0), (15, 0)
    ],
}  # fmt: skip


def positions(name: str, count: int | None = None) -> list[Position]:
    interfaces = efa_interfaces(machine_type("aws", name), count)
    own = interfaces[0]
    assert (own.card, own.device, own.type) == (0, 0, "interface")
    assert {each.type for each in interfaces[1:]} == {"efa-only"}
    return [(each.card, each.device) for each in interfaces[1:]]


@pytest.mark.parametrize("name", PUBLISHED)
def test_interfaces_are_those_that_aws_publishes(name: str) -> None:
    assert positions(name) == PUBLISHED[name]


@pytest.mark.parametrize(("name", "count"), PUBLISHED_ALSO)
def test_further_layouts_are_those_that_aws_publishes(name: str, count: int) -> None:
    assert positions(name, count) == PUBLISHED_ALSO[name, count]


def test_no_other_type_of_the_catalogue_has_efa() -> None:
    for machine in machine_types("aws"):
        if machine.name not in PUBLISHED:
            with pytest.raises(SpecError, match="no Elastic Fabric Adapter"):
                efa_interfaces(machine)


def test_cards_are_there() -> None:
    for name, interfaces in PUBLISHED.items():
        cards = machine_type("aws", name).network_cards
        assert cards is not None
        assert max(card for card, _ in interfaces) < cards
