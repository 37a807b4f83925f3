import re

import pytest

from tidegate.cluster import names

pytestmark = pytest.mark.unit

LONGEST = "s" * 54 + "-01234567"
"""A revision's id has at most 63 characters."""
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
RECORD = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def test_names_of_jobs_fit_into_a_label() -> None:
    jobs = [
        names.gate_job(LONGEST, 999),
        names.switch_job(LONGEST, 999),
        names.switch_job(LONGEST, 999, restart=12),
        names.drain_job(LONGEST),
    ]

    assert all(NAME.fullmatch(each) for each in jobs)
    assert len(set(jobs)) == len(jobs)


def test_records_are_named_after_what_they_are_about() -> None:
    records = [
        names.gate_record(LONGEST),
        names.gate_run(LONGEST, 7),
        names.switch_record("digits"),
        names.switch_run("digits", 7),
        names.drain_record(LONGEST),
        names.accelerator_pool_lease("l4"),
    ]

    assert all(RECORD.fullmatch(each) for each in records)
    assert names.switch_run("digits", 7) == "switch.digits.007"


def test_two_revisions_have_two_jobs() -> None:
    assert names.gate_job("digits-1-aaaaaaaa", 1) != names.gate_job("digits-2-bbbbbbbb", 1)


def test_labels_leave_out_what_an_object_does_not_belong_to() -> None:
    assert names.labels("digits", job="gate") == {
        names.MANAGED_BY_LABEL: names.MANAGER,
        names.SERVICE_LABEL: "digits",
        names.JOB_LABEL: "gate",
    }
