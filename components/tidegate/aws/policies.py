"""IAM policy documents as text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_aws import iam

Statement = Mapping[str, Any]
POD_IDENTITY = "pods.eks.amazonaws.com"


def partition_of(region: str) -> str:
    """First part of ARNs after `arn:`. Plans with a region of China are refused before."""
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def managed_policy(region: str, name: str) -> str:
    """ARN of a policy that AWS manages, for accounts with this region."""
    return f"arn:{partition_of(region)}:iam::aws:policy/{name}"


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str, *more_actions: str) -> str:
    """Who may take a role: a service of AWS."""
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": ["sts:AssumeRole", *more_actions],
        }
    )


def role(
    name: str,
    *,
    service: str,
    tags: Mapping[str, str],
    parent: pulumi.Resource,
    managed: Sequence[str] = (),
) -> tuple[iam.Role, list[pulumi.Resource]]:
    """A role with the policies of these ARNs, and what must be there before it is used."""
    actions = ("sts:TagSession",) if service == POD_IDENTITY else ()
    made = iam.Role(
        name,
        assume_role_policy=trust(service, *actions),
        tags=dict(tags),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    attached: list[pulumi.Resource] = [
        iam.RolePolicyAttachment(
            f"{name}-{policy.rpartition('/')[2]}",
            role=made.name,
            policy_arn=policy,
            opts=pulumi.ResourceOptions(parent=parent),
        )
        for policy in managed
    ]
    return made, [made, *attached]
