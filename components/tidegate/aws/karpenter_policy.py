"""What Karpenter may do: with what it made itself, told by the cluster's tag, and no more.

After the policy of its own guide, https://karpenter.sh/docs/reference/cloudformation/
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.aws.policies import Statement, partition_of

POOL_TAG = "karpenter.sh/nodepool"
MADE = ("fleet", "instance", "launch-template", "network-interface", "spot-instances-request")
USED = ("image", "snapshot", "security-group", "subnet", "capacity-reservation", "placement-group")
READ = (
    "ec2:DescribeCapacityReservations",
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribePlacementGroups",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "iam:GetInstanceProfile",
    "iam:ListInstanceProfiles",
    "pricing:GetProducts",
    "ssm:GetParameter",
)
QUEUE = ("sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage")
PROFILE = ("CreateInstanceProfile", "TagInstanceProfile")
OLD_PROFILE = (
    "AddRoleToInstanceProfile",
    "RemoveRoleFromInstanceProfile",
    "DeleteInstanceProfile",
)


def controller_statements(
    cluster: str, cluster_arn: str, node_role_arn: str, queue_arn: str, region: str
) -> list[Statement]:
    owned = f"kubernetes.io/cluster/{cluster}"
    in_region = f"arn:{partition_of(region)}:ec2:{region}"
    ec2 = f"{in_region}:*"
    made = [f"{ec2}:{kind}/*" for kind in (*MADE, "volume")]
    used = [f"{ec2}:{kind}/*" for kind in USED] + [
        f"{in_region}::{kind}/*" for kind in ("image", "snapshot")
    ]
    asked = {"StringEquals": {f"aws:RequestTag/{owned}": "owned"}}
    its_own = {"StringEquals": {f"aws:ResourceTag/{owned}": "owned"}}
    return [
        _allow(("ec2:RunInstances", "ec2:CreateFleet"), used),
        _allow(("ec2:RunInstances", "ec2:CreateFleet"), [f"{ec2}:launch-template/*"], its_own),
        _allow(("ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate"), made, asked),
        _allow(
            ("ec2:CreateTags",),
            made,
            {
                "StringEquals": {
                    f"aws:RequestTag/{owned}": "owned",
                    "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"],
                }
            },
        ),
        _allow(("ec2:CreateTags",), [f"{ec2}:instance/*"], its_own),
        _allow(
            ("ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"),
            [f"{ec2}:instance/*", f"{ec2}:launch-template/*"],
            its_own,
        ),
        _allow(READ, ["*"]),
        _allow(QUEUE, [queue_arn]),
        _allow(
            ("iam:PassRole",),
            [node_role_arn],
            {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        ),
        _allow(tuple(f"iam:{each}" for each in PROFILE), ["*"], asked),
        _allow(tuple(f"iam:{each}" for each in OLD_PROFILE), ["*"], its_own),
        _allow(("eks:DescribeCluster",), [cluster_arn]),
    ]


def _allow(
    actions: Sequence[str],
    resources: Sequence[str],
    condition: Mapping[str, Any] | None = None,
) -> Statement:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**statement, "Condition": dict(condition)} if condition else statement
