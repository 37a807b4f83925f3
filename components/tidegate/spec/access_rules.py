"""Who may reach the Kubernetes API and do everything there: what cannot work or is too much."""

import re
from collections import Counter

from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.errors import SpecError
from tidegate.spec.network_plan import is_private
from tidegate.spec.pool_facts import Findings

_EVERYWHERE = "0.0.0.0/0"
_PRINCIPAL = re.compile(r"arn:aws(-us-gov)?:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]+")
"""What an access entry of EKS is for: no group, no account, no session of a role.

https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html
"""


def access_findings(plan: ClusterPlan) -> Findings:
    """Fields are `adminCidrs`, `privateAdminCidrs` and `admins`."""
    for cidr in plan.admin_cidrs:
        if cidr == _EVERYWHERE:
            yield SpecError(
                "adminCidrs",
                cidr,
                "the whole internet could reach the Kubernetes API",
                "the ranges of the people who work with it, or nothing for a private endpoint",
            )
    yield from _private_findings(plan)
    if plan.admins and plan.cloud == "gcp":
        yield SpecError(
            "admins",
            plan.admins[0],
            "a cluster of GKE has no list of its own, IAM of the project decides",
            "leave it out, and grant roles/container.admin in the project",
        )
        return
    for admin, count in Counter(plan.admins).items():
        if not _PRINCIPAL.fullmatch(admin):
            yield SpecError(
                "admins",
                admin,
                "an access entry of EKS is for an IAM role or user",
                "its ARN, such as arn:aws:iam::123456789012:role/platform",
            )
        if count > 1:
            yield SpecError("admins", admin, "it is named twice", "each role or user once")


def _private_findings(plan: ClusterPlan) -> Findings:
    field = "privateAdminCidrs"
    if plan.private_admin_cidrs and plan.cloud == "gcp":
        yield SpecError(
            field,
            plan.private_admin_cidrs[0],
            "GKE has one list for its private and its public address",
            "the range in adminCidrs",
        )
        return
    for cidr, count in Counter(plan.private_admin_cidrs).items():
        if not is_private(cidr):
            yield SpecError(
                field,
                cidr,
                "these are addresses of the internet, and the private endpoint is not reached from "
                "there",
                "a range of the VPC or of a network joined to it, or adminCidrs",
            )
        if count > 1:
            yield SpecError(field, cidr, "it is named twice", "each range once")
