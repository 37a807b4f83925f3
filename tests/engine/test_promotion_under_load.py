"""Promotion and rollback while users keep asking."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.engine.harness.load import BackgroundLoad
from tests.engine.harness.project import Project
from tests.engine.harness.waiting import wait_for
from tidegate.gate.verdict import Outcome

pytestmark = pytest.mark.engine

USERS = 100


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
        project.up()
        promoted_at = time.monotonic()
        judged = project.attempts()[before:]
        wait_for_users(project, new)
        settled_at = time.monotonic()

        project.declare_digits("1", standby=name)
        project.up()
        rolled_back_at = time.monotonic()
        wait_for_users(project, old)

    assert [each.outcome for each in judged if each.revision == new][-1] is Outcome.PASS
    assert len(project.attempts()) == before + len(judged)  # none for the rollback

    report = load.report()
    assert report.failures == []
    assert report.rate_per_second >= 200
    assert report.protocols == {"http", "grpc"}
    # Envoy's workers take new routes up one after the other: for a moment both sides answer.
    assert report.revisions == [old, new]
    assert report.revisions_sent_between(promoted_at, settled_at) == {new}
    assert report.revisions_sent_between(rolled_back_at, time.monotonic()) == {old}


def wait_for_users(project: Project, revision: str) -> None:
    """Until so many have met the revision from now on."""

    def met() -> int:
        return asyncio.run(project.local.router().user_counters(revision)).requests

    before = met()
    wait_for(f"users of {revision}", lambda: met() >= before + USERS)
