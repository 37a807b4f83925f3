from typing import Any

import pytest

from tidegate.cluster import names
from tidegate.jobs.runner_jobs import RunnerJob, job_object
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.runner_pods import RunnerPods

pytestmark = pytest.mark.unit

REVISION = "digits-2-4f1c9a7e"
GATE = RunnerJob("gate-aaaaaaaa-001", f"gate.{REVISION}.001", "gate", "digits", REVISION)
SWITCH = RunnerJob("switch-aaaaaaaa-001", "switch.digits.001", "switch", "digits", None)


def settings(**changes: Any) -> KubernetesConfiguration:
    fields: dict[str, Any] = {
        "namespace": "team-a",
        "gateway": GatewayReference(namespace="team-a", name="tidegate"),
        "runner_image": "registry.test/tidegate/runner:1",
        "environment": "test",
        "evidence": "s3://evidence/team-a",
        "stack_file": "stacks/Pulumi.test.yaml",
    }
    return KubernetesConfiguration(**(fields | changes))


def pod_of(job: RunnerJob, **changes: Any) -> Any:
    return job_object(job, settings(**changes))["spec"]["template"]["spec"]


def test_a_gate_is_never_repeated_by_itself_and_a_switch_is() -> None:
    assert job_object(GATE, settings())["spec"]["backoffLimit"] == 0
    assert job_object(SWITCH, settings())["spec"]["backoffLimit"] > 0
    assert pod_of(GATE)["restartPolicy"] == pod_of(SWITCH)["restartPolicy"] == "Never"


def test_a_pod_on_a_lost_node_counts_as_failed_at_once() -> None:
    for job in (GATE, SWITCH):
        assert "podFailurePolicy" not in job_object(job, settings())["spec"]


def test_a_switch_that_ends_says_why_and_a_gate_leaves_a_verdict_only() -> None:
    assert pod_of(SWITCH)["containers"][0]["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert pod_of(GATE)["containers"][0]["terminationMessagePolicy"] == "File"


def test_the_runner_is_told_which_run_it_carries_out() -> None:
    (container,) = pod_of(GATE)["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}

    assert environment[names.RUN_VARIABLE] == GATE.run
    assert environment[names.JOB_VARIABLE] == GATE.name
    assert names.NAMESPACE_VARIABLE in environment
    assert container["command"] == ["python", "-m", "tidegate.runner.gate_job"]
    assert container["terminationMessagePath"] == "/var/run/tidegate/termination.json"
    assert pod_of(SWITCH)["containers"][0]["command"][-1] == "tidegate.runner.switch_job"


def test_every_label_fits_the_longest_revision() -> None:
    longest = "a" * 63
    job = RunnerJob(
        names.gate_job(longest, 999), names.gate_run(longest, 999), "gate", "a" * 40, longest
    )

    made = job_object(job, settings())

    assert all(len(value) <= 63 for value in made["metadata"]["labels"].values())
    assert len(made["metadata"]["name"]) <= 63
    assert made["metadata"]["annotations"][names.RUN_ANNOTATION] == job.run


def test_its_pods_meet_the_restricted_standard() -> None:
    pod = pod_of(GATE)
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert container["resources"]["requests"] == container["resources"]["limits"]


@pytest.mark.parametrize(
    ("evidence", "is_mounted"),
    [
        ("s3://evidence/team-a", False),
        ("/evidence", True),
        ("/var/run/tidegate/evidence", False),
    ],
)
def test_a_folder_for_evidence_is_a_volume_unless_it_is_the_pods_own(
    evidence: str, is_mounted: bool
) -> None:
    pod = pod_of(GATE, evidence=evidence)

    claims = [each for each in pod["volumes"] if "persistentVolumeClaim" in each]
    assert bool(claims) is is_mounted
    mounted = [each["mountPath"] for each in pod["containers"][0]["volumeMounts"]]
    assert (evidence in mounted) is is_mounted


def test_a_fresh_volume_for_evidence_can_be_written_to() -> None:
    security = pod_of(GATE, evidence="/evidence")["securityContext"]

    assert security["fsGroup"] == security["runAsUser"]
    assert security["fsGroupChangePolicy"] == "OnRootMismatch"


def test_evidence_at_an_endpoint_of_its_own() -> None:
    def variables(**changes: Any) -> dict[str, Any]:
        (container,) = pod_of(GATE, **changes)["containers"]
        return {each["name"]: each.get("value") for each in container["env"]}

    assert not any(name.startswith("AWS_") for name in variables())
    plain = variables(evidence_endpoint="http://minio.storage:9000")
    assert plain["AWS_ENDPOINT_URL"] == "http://minio.storage:9000"
    assert plain["AWS_ALLOW_HTTP"] == "true"
    assert "AWS_ALLOW_HTTP" not in variables(evidence_endpoint="https://ceph.storage:7480")


def test_its_pods_go_where_the_settings_say_with_the_secrets_of_the_registry() -> None:
    runner = RunnerPods.model_validate(
        {
            "nodeLabels": {"kubernetes.io/arch": "amd64"},
            "tolerations": [{"key": "dedicated", "value": "inference", "effect": "NoSchedule"}],
        }
    )
    pod = pod_of(GATE, runner=runner, image_pull_secrets=("registry",))

    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["nodeSelector"] == {"kubernetes.io/arch": "amd64"}
    taint = {"key": "dedicated", "value": "inference", "effect": "NoSchedule"}
    assert pod["tolerations"][-1] == {"operator": "Equal", **taint}
    # A lost node counts as before.
    assert pod["tolerations"][:-1] == pod_of(GATE)["tolerations"]
    assert not {"nodeSelector", "imagePullSecrets"} & pod_of(GATE).keys()


def test_the_pool_of_a_gate_reaches_its_runner() -> None:
    job = RunnerJob(
        "gate-1",
        "gate.x.001",
        "gate",
        "digits",
        REVISION,
        accelerator_pool="l4",
        gate_lease_namespace="gates",
    )
    environment = {each["name"]: each.get("value") for each in pod_of(job)["containers"][0]["env"]}

    assert environment["TIDEGATE_ACCELERATOR_POOL"] == "l4"
    assert environment["TIDEGATE_GATE_LEASE_NAMESPACE"] == "gates"
