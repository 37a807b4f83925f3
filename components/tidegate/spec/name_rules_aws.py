"""Names that EKS and IAM would find too long, once the engine has added its seven digits."""

from collections.abc import Sequence

from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.errors import SpecError
from tidegate.spec.pool_facts import Findings
from tidegate.spec.workload_identity import WorkloadIdentity

NODE_GROUP_LENGTH = 63
ROLE_LENGTH = 64
"""EKS API, CreateNodegroup; IAM API, roleNameType."""

BUCKET_DRIVER = WorkloadIdentity(
    namespace="kube-system", service_account="s3-csi-driver-sa", access="read"
)
"""The add-on that mounts the bucket as a volume. Its role has the longest name of all."""

_DIGITS = len("-0123456")


def node_group_findings(plan: ClusterPlan) -> Findings:
    room = NODE_GROUP_LENGTH - _DIGITS - len(f"{plan.name}-")
    for pool in plan.pools:
        if len(pool.name) > room and not pool.elastic:
            yield SpecError(
                f"pools.{pool.name}.name",
                pool.name,
                f"the node group's, {plan.name}-{pool.name}-…, would be longer than "
                f"{NODE_GROUP_LENGTH}",
                f"at most {room} characters, or a shorter name of the cluster",
            )


def role_findings(plan: ClusterPlan) -> Findings:
    if plan.storage.cold is not None and _is_long(plan, BUCKET_DRIVER):
        yield SpecError(
            "name",
            plan.name,
            f"the role of the bucket's driver, {plan.name}-{BUCKET_DRIVER.name}-…, would have a "
            f"name longer than {ROLE_LENGTH}",
            f"at most {_room(BUCKET_DRIVER)} characters",
        )


def workload_findings(plan: ClusterPlan, workloads: Sequence[WorkloadIdentity]) -> Findings:
    for workload in workloads:
        if _is_long(plan, workload):
            yield SpecError(
                "workloads",
                workload.name,
                f"its role, {plan.name}-{workload.name}-…, would have a name longer than "
                f"{ROLE_LENGTH}",
                "a shorter namespace or serviceAccount, together at most "
                f"{ROLE_LENGTH - _DIGITS - len(plan.name) - 2} characters",
            )


def _room(workload: WorkloadIdentity) -> int:
    """What a role's name leaves for the cluster's."""
    return ROLE_LENGTH - _DIGITS - len(f"-{workload.name}")


def _is_long(plan: ClusterPlan, workload: WorkloadIdentity) -> bool:
    return len(plan.name) > _room(workload)
