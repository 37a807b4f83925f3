"""Promotion and rollback while users keep asking."""

import time
from collections.abc import Callable

import pytest

from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import Project
from tidegate.gate.verdict import Outcome

pytestmark = pytest.mark.engine

SETTLED_SECONDS = 1.0


def test_swap_is_gated_once_and_loses_no_request_in_either_direction(
    project: Project, full_load_on: Callable[[Project], BackgroundLoad]
) -> None:
    name = project.new_release()
    old, new = project.revision("1"), project.revision(name)
    project.declare_digits("1", standby=name)
    project.up()
    before = len(project.attempts())

    with full_load_on(project) as load:
        project.declare_digits(name, standby="1")
        promotion = project.up()
        promoted_at = time.monotonic()
        judged = project.attempts()[before:]
        time.sleep(SETTLED_SECONDS)
        settled_at = time.monotonic()

        project.declare_digits("1", standby=name)
        rollback = project.up()
        rolled_back_at = time.monotonic()
        time.sleep(SETTLED_SECONDS)

    assert [each.outcome for each in judged if each.revision == new][-1] is Outcome.PASS
    assert len(project.attempts()) == before + len(judged)  # none for the rollback
    assert rollback.seconds < promotion.seconds

    report = load.report()
    assert report.failures == []
    assert report.rate_per_second >= 200
    assert report.protocols == {"http", "grpc"}
    # Envoy's workers take new routes up one after the other: for a moment both sides answer.
    assert report.revisions == [old, new]
    assert report.revisions_sent_between(promoted_at, settled_at) == {new}
    assert report.revisions_sent_between(rolled_back_at, time.monotonic()) == {old}
