"""Who nodes and pods are: a service account for nodes, and rights for single workloads."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import projects, serviceaccount, storage

from tidegate.gcp.naming import description_of, name_for
from tidegate.gcp.project import Project
from tidegate.spec.workload_identity import BucketAccess, WorkloadIdentity

ACCOUNT_NAME_LIMIT = 30
NODE_ROLES = ("roles/container.defaultNodeServiceAccount",)
"""What GKE's own agents on a node need: logs, metrics and autoscaling. Images are granted by
repository. https://docs.cloud.google.com/kubernetes-engine/security/configure-node-service-accounts"""

OBJECT_ROLES: dict[BucketAccess, tuple[str, ...]] = {
    "read": ("objectViewer",),
    "append": ("objectViewer", "objectCreator"),
    "write": ("objectUser",),
}
"""Roles of Cloud Storage. Who appends evidence reads what is there, and replaces nothing."""


@dataclass(frozen=True, kw_only=True)
class NodeIdentityArgs:
    """Arguments of a `NodeIdentity`. `labels` become its description."""

    project: Project
    labels: Mapping[str, str]


class NodeIdentity(pulumi.ComponentResource):
    """The account that nodes run as, with the least roles. Pods do not get it."""

    email: pulumi.Output[str]
    member: pulumi.Output[str]

    def __init__(
        self, name: str, args: NodeIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:NodeIdentity", name, None, opts)
        account = serviceaccount.Account(
            name_for(name, limit=ACCOUNT_NAME_LIMIT),
            project=args.project.id,
            display_name=f"Nodes of {name}",
            description=description_of(args.labels),
            opts=pulumi.ResourceOptions(parent=self),
        )
        grants = [
            projects.IAMMember(
                f"{name}-{role.rsplit('.', 1)[-1]}",
                project=args.project.id,
                role=role,
                member=account.member,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for role in NODE_ROLES
        ]
        # After the grants: a node without them starts, and then reports nothing.
        granted = pulumi.Output.all(*(grant.member for grant in grants))
        self.email = pulumi.Output.all(account.email, granted).apply(lambda both: str(both[0]))
        self.member = pulumi.Output.all(account.member, granted).apply(lambda both: str(both[0]))
        self.register_outputs({"email": self.email, "member": self.member})


@dataclass(frozen=True, kw_only=True)
class WorkloadAccessArgs:
    """Arguments of a `WorkloadAccess`. `bucket` is its name."""

    project: Project
    workload: WorkloadIdentity
    bucket: pulumi.Input[str]


class WorkloadAccess(pulumi.ComponentResource):
    """The bucket for pods with one service account, without keys and without another account."""

    def __init__(
        self, name: str, args: WorkloadAccessArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:WorkloadAccess", name, None, opts)
        workload = args.workload
        for role in OBJECT_ROLES[workload.access]:
            storage.BucketIAMMember(
                f"{name}-{role}",
                bucket=args.bucket,
                role=f"roles/storage.{role}",
                member=args.project.workload(workload.namespace, workload.service_account),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
