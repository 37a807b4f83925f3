from typing import Any

import pytest

from tests.unit.provider.kubernetes.objects import Object, container, pod
from tidegate.jobs.runner_state import RunnerState, why_it_ended

pytestmark = pytest.mark.unit

JOB = "gate-aaaaaaaa-001"


def job(*conditions: Object) -> Object:
    return {"metadata": {"name": JOB}, "status": {"conditions": list(conditions)}}


FAILED = job({"type": "Failed", "status": "True", "message": "Job has reached its limit."})


def ended(message: str | None, exit_code: int = 0) -> Object:
    state: dict[str, Any] = {"exitCode": exit_code, "reason": "Completed" if not exit_code else "E"}
    if message is not None:
        state["message"] = message
    return pod("runner-1", containerStatuses=[container({"terminated": state})])


def test_a_job_has_ended_when_it_is_complete_failed_or_gone() -> None:
    assert RunnerState(None, []).has_ended
    assert RunnerState(FAILED, []).has_ended
    assert RunnerState(job({"type": "Complete", "status": "True"}), []).has_ended
    assert RunnerState(job({"type": "FailureTarget", "status": "True"}), []).has_ended
    assert not RunnerState(job(), []).has_ended
    assert not RunnerState(job({"type": "Failed", "status": "False"}), []).has_ended


def test_it_has_begun_when_its_container_runs_or_has_run() -> None:
    waiting = pod("runner-1", containerStatuses=[container({"waiting": {}})])
    running = pod("runner-1", containerStatuses=[container({"running": {}})])

    assert not RunnerState(job(), [waiting]).has_begun
    assert RunnerState(job(), [running]).has_begun
    assert RunnerState(job(), [ended(None)]).has_begun


def test_the_termination_message_is_that_of_the_last_pod_with_one() -> None:
    assert RunnerState(job(), [ended("first"), ended("last"), ended(None)]).termination_message == (
        "last"
    )
    assert RunnerState(job(), [ended(None), pod()]).termination_message is None


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunnerState(None, []), f"Job {JOB} was deleted"),
        (RunnerState(FAILED, []), f"Job {JOB} failed: Job has reached its limit"),
        (
            RunnerState(
                FAILED, [pod("p", phase="Failed", reason="Evicted", message="low on disk")]
            ),
            "Pod p was evicted: low on disk",
        ),
        (
            RunnerState(
                FAILED,
                [
                    pod(
                        "p",
                        conditions=[
                            {
                                "type": "DisruptionTarget",
                                "status": "True",
                                "reason": "DeletionByTaintManager",
                                "message": "Taint manager: deleting",
                            }
                        ],
                    )
                ],
            ),
            "Pod p was ended, its node was lost: Taint manager: deleting",
        ),
        (
            RunnerState(job({"type": "Complete", "status": "True"}), [ended("cannot get leases")]),
            "Pod runner-1 gave up: cannot get leases",
        ),
        (RunnerState(FAILED, [ended(None, 137)]), "Pod runner-1 ended (E, exit code 137)"),
        (
            RunnerState(FAILED, [ended("cannot get leases\n", 7)]),
            "Pod runner-1 ended (E, exit code 7): cannot get leases",
        ),
    ],
)
def test_it_says_why_there_is_no_result(state: RunnerState, words: str) -> None:
    assert why_it_ended(state, JOB) == words
