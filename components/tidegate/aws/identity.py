"""Who nodes and pods are: a role for nodes, and roles for single service accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import eks, iam

from tidegate.aws.policies import POD_IDENTITY, Statement, document, managed_policy, role
from tidegate.aws.tags import named
from tidegate.spec.workload_identity import BucketAccess

NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKS_CNI_Policy",
)
"""https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"""

READ = ("s3:GetObject", "s3:GetObjectVersion")
WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
NEW_ONLY: Mapping[str, Any] = {"StringEquals": {"s3:if-none-match": "*"}}
"""Writes that S3 refuses when the object is there already.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
"""


@dataclass(frozen=True, kw_only=True)
class NodeIdentityArgs:
    """Arguments of a `NodeIdentity`. The region tells what AWS's own policies are called."""

    region: str
    tags: Mapping[str, str]


class NodeIdentity(pulumi.ComponentResource):
    """The role that nodes run as, with the least policies. Pods do not get it."""

    arn: pulumi.Output[str]
    role_name: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]

    def __init__(
        self, name: str, args: NodeIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:NodeIdentity", name, None, opts)
        made, self.ready = role(
            name,
            service="ec2.amazonaws.com",
            tags=named(args.tags, name),
            managed=[managed_policy(args.region, each) for each in NODE_POLICIES],
            parent=self,
        )
        self.arn, self.role_name = made.arn, made.name
        self.register_outputs({"arn": self.arn, "roleName": self.role_name})


@dataclass(frozen=True, kw_only=True)
class PodIdentityArgs:
    """Arguments of a `PodIdentity`: pods with one service account, and what they may do.

    `managed` are ARNs of AWS's own policies. Statements may name what does not exist yet.
    """

    cluster: pulumi.Input[str]
    namespace: str
    service_account: str
    tags: Mapping[str, str]
    statements: pulumi.Input[Sequence[Statement]] | None = None
    managed: Sequence[str] = ()


class PodIdentity(pulumi.ComponentResource):
    """A role that EKS hands to the pods of one service account; no key, no annotation."""

    association: pulumi.Resource

    def __init__(
        self, name: str, args: PodIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:PodIdentity", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        made, ready = role(
            name,
            service=POD_IDENTITY,
            tags=named(args.tags, name),
            managed=args.managed,
            parent=self,
        )
        if args.statements is not None:
            policy = pulumi.Output.from_input(args.statements).apply(_document)
            ready.append(iam.RolePolicy(name, role=made.name, policy=policy, opts=own))
        self.association = eks.PodIdentityAssociation(
            name,
            cluster_name=args.cluster,
            namespace=args.namespace,
            service_account=args.service_account,
            role_arn=made.arn,
            tags=named(args.tags, name),
            # Pods that start before the role may do nothing would fail and not try again.
            opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
        )
        self.register_outputs({})


def bucket_statements(
    bucket_arn: pulumi.Input[str],
    key_arn: pulumi.Input[str],
    access: BucketAccess,
    write_prefix: str | None = None,
) -> pulumi.Output[Sequence[Statement]]:
    """What `access` to a bucket is, its key included; below `write_prefix` it is `write`.

    Who appends reads too, and replaces nothing.
    """

    def statements(arns: Sequence[str]) -> Sequence[Statement]:
        bucket, key = arns
        objects = [f"{bucket}/*"]
        found = [
            _allow(objects, READ),
            _allow([key], ("kms:Decrypt", "kms:GenerateDataKey")),
            _allow([bucket], ("s3:ListBucket",)),
        ]
        if access == "append":
            found.append({**_allow(objects, ("s3:PutObject",)), "Condition": dict(NEW_ONLY)})
        elif access == "write":
            found.append(_allow(objects, WRITE))
        if write_prefix is not None:
            found.append(_allow([f"{bucket}/{write_prefix}/*"], WRITE))
        return found

    return pulumi.Output.all(bucket_arn, key_arn).apply(statements)


def _document(statements: Sequence[Statement]) -> str:
    return document(*statements)


def _allow(resources: Sequence[str], actions: Sequence[str]) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
