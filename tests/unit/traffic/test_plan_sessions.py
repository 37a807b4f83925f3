"""Where sessions go while a switch goes through its stages."""

from dataclasses import replace

import pytest

from tidegate.spec.traffic import Affinity, SwitchStrategy
from tidegate.traffic.plan import plan
from tidegate.traffic.routes import ServiceRoutes

pytestmark = pytest.mark.unit

BEFORE = ServiceRoutes("digits", ("digits",), {"digits-1-a": 100}, 30)
TARGET = replace(BEFORE, weights={"digits-2-b": 100, "digits-1-a": 0})
BAKE = SwitchStrategy(bake_seconds=60)


def test_sessions_of_the_old_revision_end_during_the_bake_and_move_afterwards() -> None:
    affinity = Affinity(cookie="session")
    before, target = replace(BEFORE, affinity=affinity), replace(TARGET, affinity=affinity)

    bake, final = plan(before, target, BAKE, served_before=False)

    assert bake.routes.keeps_sessions("digits-1-a")
    assert not final.routes.keeps_sessions("digits-1-a")


def test_without_affinity_there_is_nothing_to_finish() -> None:
    bake, _ = plan(BEFORE, TARGET, BAKE, served_before=False)

    assert not bake.routes.keeps_sessions("digits-1-a")
    assert bake.routes.weights == TARGET.weights
