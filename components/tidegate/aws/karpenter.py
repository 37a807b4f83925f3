"""Karpenter: the controller, what it may do, and how it hears that a node is about to go."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, sqs
from pulumi_kubernetes.helm import v3 as helm

from tidegate.aws.elastic_pools import elastic_pool
from tidegate.aws.identity import PodIdentity, PodIdentityArgs
from tidegate.aws.karpenter_policy import controller_statements
from tidegate.aws.policies import document
from tidegate.aws.tags import named
from tidegate.spec.resolved_pool import PURPOSE_LABEL, ResolvedPool

CHART = "oci://public.ecr.aws/karpenter/karpenter"
VERSION = "1.14.0"
NAMESPACE = "kube-system"
SERVICE_ACCOUNT = "karpenter"
MESSAGE_SECONDS = 300

INTERRUPTIONS = {
    "health": ("aws.health", "AWS Health Event"),
    "spot": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "state": ("aws.ec2", "EC2 Instance State-change Notification"),
    "reservation": ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
}
"""Rules of EventBridge: source and kind of what Karpenter is told."""


@dataclass(frozen=True, kw_only=True)
class KarpenterArgs:
    """Arguments of `Karpenter`. `discovery` is the value of the subnets' tag."""

    cluster: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    discovery: str
    region: str
    node_role_name: pulumi.Input[str]
    node_role_arn: pulumi.Input[str]
    node_group: pulumi.Input[str]
    pools: Sequence[ResolvedPool]
    tags: Mapping[str, str]
    needs: Sequence[pulumi.Resource]


class Karpenter(pulumi.ComponentResource):
    """The controller runs on the system's nodes; the pools follow it."""

    def __init__(
        self, name: str, args: KarpenterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:Karpenter", name, None, opts)
        queue = self._interruptions(name, args)
        facts = (args.cluster, args.cluster_arn, args.node_role_arn, queue.arn, args.region)
        identity = PodIdentity(
            name,
            PodIdentityArgs(
                cluster=args.cluster,
                namespace=NAMESPACE,
                service_account=SERVICE_ACCOUNT,
                statements=pulumi.Output.all(*facts).apply(
                    lambda each: controller_statements(*each)
                ),
                tags=args.tags,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        release = helm.Release(
            name,
            chart=CHART,
            version=VERSION,
            namespace=NAMESPACE,
            values={
                "settings": {
                    "clusterName": args.cluster,
                    "interruptionQueue": queue.name,
                    # Of all its nodes or of none: an unhealthy one is replaced.
                    "featureGates": {"nodeRepair": all(each.auto_repair for each in args.pools)},
                },
                "serviceAccount": {"name": SERVICE_ACCOUNT},
                "nodeSelector": {PURPOSE_LABEL: "system"},
                "replicas": 2,
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*args.needs, identity.association]
            ),
        )
        for pool in args.pools:
            if pool.eks is not None:
                elastic_pool(
                    f"{name}-{pool.name}",
                    pool,
                    pool.eks,
                    discovery=args.discovery,
                    role=args.node_role_name,
                    security_group=args.node_group,
                    tags=args.tags,
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[release]),
                )
        self.register_outputs({})

    def _interruptions(self, name: str, args: KarpenterArgs) -> sqs.Queue:
        """A queue of what is about to happen to nodes."""
        own = pulumi.ResourceOptions(parent=self)
        queue = sqs.Queue(
            name,
            message_retention_seconds=MESSAGE_SECONDS,
            sqs_managed_sse_enabled=True,
            tags=named(args.tags, name),
            opts=own,
        )
        sqs.QueuePolicy(name, queue_url=queue.id, policy=queue.arn.apply(_queue_policy), opts=own)
        for label, (source, kind) in INTERRUPTIONS.items():
            rule = cloudwatch.EventRule(
                f"{name}-{label}",
                event_pattern=json.dumps({"source": [source], "detail-type": [kind]}),
                tags=named(args.tags, f"{name}-{label}"),
                opts=own,
            )
            cloudwatch.EventTarget(f"{name}-{label}", rule=rule.name, arn=queue.arn, opts=own)
        return queue


def _queue_policy(arn: str) -> str:
    """EventBridge writes; nobody does so without TLS."""
    writers = {"Service": ["events.amazonaws.com", "sqs.amazonaws.com"]}
    return document(
        {
            "Effect": "Allow",
            "Principal": writers,
            "Action": "sqs:SendMessage",
            "Resource": arn,
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )
