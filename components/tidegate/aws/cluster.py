"""The control plane: EKS, private, its secrets encrypted, every call audited."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import eks, vpc

from tidegate.aws.policies import managed_policy, partition_of, role
from tidegate.aws.protection import guarded
from tidegate.aws.tags import named

CONTROL_PLANE_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
API_PORT = 443
ADMIN_POLICY, ADMIN_SCOPE = "AmazonEKSClusterAdminPolicy", "cluster"
"""https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html"""


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """Arguments of a `Cluster`. `admin_cidrs` may reach the API from outside; none: inside only.

    `private_admin_cidrs` are ranges of the VPC, or of networks joined to it, that reach the private
    endpoint; nodes always do. `admins` are ARNs of IAM roles and users that may do everything in
    it. `key` encrypts Kubernetes Secrets, beside what EKS encrypts anyway.
    """

    region: str
    kubernetes_version: str
    services_cidr: str
    subnets: Sequence[pulumi.Input[str]]
    key: pulumi.Input[str]
    admin_cidrs: Sequence[str]
    admins: Sequence[str]
    tags: Mapping[str, str]
    protect: bool
    private_admin_cidrs: Sequence[str] = ()


class Cluster(pulumi.ComponentResource):
    """Who may call its API is said by access entries alone; its creator is an administrator.

    `security_group` is the one that EKS makes for the control plane and its nodes. EKS itself
    names the cluster's log group, `/aws/eks/<name>/cluster`, and makes it with the first line: it
    cannot be declared before, because the cluster gets its name only when it is made.
    """

    name: pulumi.Output[str]
    security_group: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    resource: eks.Cluster

    def __init__(
        self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:Cluster", name, None, opts)
        identity, ready = role(
            f"{name}-control-plane",
            service="eks.amazonaws.com",
            tags=named(args.tags, f"{name}-control-plane"),
            managed=(managed_policy(args.region, "AmazonEKSClusterPolicy"),),
            parent=self,
        )
        is_public = bool(args.admin_cidrs)
        self.resource = eks.Cluster(
            name,
            role_arn=identity.arn,
            version=args.kubernetes_version,
            vpc_config=eks.ClusterVpcConfigArgs(
                subnet_ids=list(args.subnets),
                endpoint_private_access=True,
                endpoint_public_access=is_public,
                public_access_cidrs=list(args.admin_cidrs) if is_public else None,
            ),
            kubernetes_network_config=eks.ClusterKubernetesNetworkConfigArgs(
                service_ipv4_cidr=args.services_cidr, ip_family="ipv4"
            ),
            access_config=eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=True
            ),
            encryption_config=eks.ClusterEncryptionConfigArgs(
                provider=eks.ClusterEncryptionConfigProviderArgs(key_arn=args.key),
                resources=["secrets"],
            ),
            enabled_cluster_log_types=list(CONTROL_PLANE_LOGS),
            # The add-ons are declared one by one, at pinned versions.
            bootstrap_self_managed_addons=False,
            upgrade_policy=eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            deletion_protection=args.protect,
            tags=named(args.tags, name),
            opts=guarded(self, args.protect, ready),
        )
        for admin in args.admins:
            self._admin(name, admin, args)
        self.name = self.resource.name
        self.security_group = self.resource.vpc_config.apply(
            lambda config: str(config.cluster_security_group_id)
        )
        for cidr in args.private_admin_cidrs:
            self._reached_from(name, cidr, args)
        certificate = self.resource.certificate_authority.apply(lambda each: str(each.data))
        self.kubeconfig = pulumi.Output.all(
            self.resource.name, self.resource.endpoint, certificate, args.region
        ).apply(lambda each: kubeconfig(*each))
        self.register_outputs(
            {
                "name": self.name,
                "securityGroup": self.security_group,
                "kubeconfig": self.kubeconfig,
            }
        )

    def _reached_from(self, name: str, cidr: str, args: ClusterArgs) -> None:
        label = f"{name}-api-{cidr.replace('/', '-')}"
        vpc.SecurityGroupIngressRule(
            label,
            security_group_id=self.security_group,
            ip_protocol="tcp",
            from_port=API_PORT,
            to_port=API_PORT,
            cidr_ipv4=cidr,
            description="The Kubernetes API",
            tags=named(args.tags, label),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _admin(self, name: str, principal: str, args: ClusterArgs) -> None:
        """Named by account and role, so that the order of the list does not matter."""
        account, identity = principal.split(":", 5)[4:]
        label = f"{name}-{account}-{identity.replace('/', '-')}"
        entry = eks.AccessEntry(
            label,
            cluster_name=self.resource.name,
            principal_arn=principal,
            type="STANDARD",
            tags=named(args.tags, label),
            opts=pulumi.ResourceOptions(parent=self),
        )
        eks.AccessPolicyAssociation(
            label,
            cluster_name=self.resource.name,
            principal_arn=entry.principal_arn,
            policy_arn=f"arn:{partition_of(args.region)}:eks::aws:cluster-access-policy/{ADMIN_POLICY}",
            access_scope=eks.AccessPolicyAssociationAccessScopeArgs(type=ADMIN_SCOPE),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[entry]),
        )


def kubeconfig(name: str, endpoint: str, certificate: str, region: str) -> str:
    """JSON text. It holds no secret: `aws eks get-token` gives whoever uses it a token."""
    command = {
        # What AWS's own `update-kubeconfig` writes; not every client knows v1.
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "interactiveMode": "Never",
        "command": "aws",
        "args": ["--region", region, "eks", "get-token", "--cluster-name", name],
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": endpoint, "certificate-authority-data": certificate},
                }
            ],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "users": [{"name": name, "user": {"exec": command}}],
        }
    )
