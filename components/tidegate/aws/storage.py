"""The tiers of storage: FSx for Lustre (hot), EFS (warm), S3 (cold), and what joins them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, efs, fsx, vpc

from tidegate.aws.buckets import Bucket, BucketArgs
from tidegate.aws.protection import guarded
from tidegate.aws.tags import named
from tidegate.spec.storage_tiers import Efs, FsxLustre, StorageTiers

LUSTRE_PORTS = ((988, 988), (1018, 1023))
"""https://docs.aws.amazon.com/fsx/latest/LustreGuide/limit-access-security-groups.html"""

NFS_PORT = 2049
LUSTRE_VERSION = "2.15"
BACKUP_DAYS = 7
EVENTS = ("NEW", "CHANGED", "DELETED")


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """Arguments of `Storage`. Subnets are by zone, `regional_subnets` those outside of Local Zones.

    `client_groups`: security groups of the clients, `nodes` and, with EFA, `fabric`.
    """

    plan: StorageTiers
    vpc_id: pulumi.Input[str]
    subnets: Mapping[str, pulumi.Input[str]]
    regional_subnets: Mapping[str, pulumi.Input[str]]
    client_groups: Mapping[str, pulumi.Input[str]]
    key: pulumi.Input[str]
    tags: Mapping[str, str]
    protect: bool


class Storage(pulumi.ComponentResource):
    """Each tier is there when the plan names it."""

    lustre: fsx.LustreFileSystem | None = None
    shared: efs.FileSystem | None = None
    bucket: Bucket | None = None

    def __init__(
        self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:Storage", name, None, opts)
        self._args = args
        if args.plan.cold is not None:
            self.bucket = Bucket(
                f"{name}-releases",
                BucketArgs(plan=args.plan.cold, key=args.key, tags=args.tags, protect=args.protect),
                opts=pulumi.ResourceOptions(parent=self),
            )
        if isinstance(args.plan.warm, Efs):
            self.shared = self._shared(f"{name}-warm", args.plan.warm)
        if isinstance(args.plan.hot, FsxLustre):
            self.lustre = self._lustre(f"{name}-hot", args.plan.hot)
            self._repository(f"{name}-hot", args.plan.hot, self.lustre)
        self.register_outputs({})

    def _shared(self, name: str, plan: Efs) -> efs.FileSystem:
        args = self._args
        group = self._group(name, "Shared files of the cluster", ((NFS_PORT, NFS_PORT),))
        files = efs.FileSystem(
            name,
            encrypted=True,
            kms_key_id=args.key,
            throughput_mode=plan.throughput_mode,
            provisioned_throughput_in_mibps=plan.provisioned_mibps,
            lifecycle_policies=[
                efs.FileSystemLifecyclePolicyArgs(transition_to_ia="AFTER_30_DAYS"),
                efs.FileSystemLifecyclePolicyArgs(
                    transition_to_primary_storage_class="AFTER_1_ACCESS"
                ),
            ],
            tags=named(args.tags, name),
            opts=guarded(self, args.protect),
        )
        for zone, subnet in args.regional_subnets.items():
            efs.MountTarget(
                f"{name}-{zone}",
                file_system_id=files.id,
                subnet_id=subnet,
                security_groups=[group.id],
                opts=pulumi.ResourceOptions(parent=self),
            )
        efs.BackupPolicy(
            name,
            file_system_id=files.id,
            backup_policy=efs.BackupPolicyBackupPolicyArgs(status="ENABLED"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return files

    def _lustre(self, name: str, plan: FsxLustre) -> fsx.LustreFileSystem:
        args = self._args
        group = self._group(name, "Fast files of the cluster", LUSTRE_PORTS)
        # FSx looks whether its servers may call each other, and refuses a group that has no rules.
        rules = self._members(name, group.id, LUSTRE_PORTS, {"itself": group.id})
        # Servers call their clients too, to take locks back.
        nodes = args.client_groups["nodes"]
        self._members(f"{name}-back", nodes, LUSTRE_PORTS, {"servers": group.id})
        reached = {"nodes": nodes, "itself": group.id}
        rules += self._members(f"{name}-out", group.id, LUSTRE_PORTS, reached, outwards=True)
        if plan.efa:
            # EFA is no TCP: servers and clients reach each other with every protocol, and only
            # where the rules of both sides name the other's group.
            for label, other in {**args.client_groups, "itself": group.id}.items():
                rules += self._both_ways(f"{name}-efa-{label}", group.id, other)
            self._both_ways(f"{name}-efa-back", args.client_groups["fabric"], group.id)
        is_persistent = plan.deployment_type == "PERSISTENT_2"
        return fsx.LustreFileSystem(
            name,
            deployment_type=plan.deployment_type,
            storage_type="SSD",
            storage_capacity=plan.capacity_gib,
            per_unit_storage_throughput=plan.throughput if is_persistent else None,
            file_system_type_version=LUSTRE_VERSION,
            efa_enabled=True if plan.efa else None,
            metadata_configuration=fsx.LustreFileSystemMetadataConfigurationArgs(mode="AUTOMATIC")
            if is_persistent
            else None,
            kms_key_id=args.key if is_persistent else None,
            automatic_backup_retention_days=_backup_days(plan),
            copy_tags_to_backups=True if is_persistent else None,
            subnet_ids=args.subnets[plan.zone],
            security_group_ids=[group.id],
            tags=named(args.tags, name),
            opts=guarded(self, args.protect and is_persistent, rules),
        )

    def _repository(self, name: str, plan: FsxLustre, files: fsx.LustreFileSystem) -> None:
        """Objects appear as files when they are asked for; new files become objects."""
        if self.bucket is None or plan.repository_prefix is None:
            return
        path = pulumi.Output.concat(self.bucket.url, f"/{plan.repository_prefix.strip('/')}")
        policy = list(EVENTS)
        fsx.DataRepositoryAssociation(
            name,
            file_system_id=files.id,
            file_system_path=plan.repository_path,
            data_repository_path=path,
            batch_import_meta_data_on_create=True,
            delete_data_in_filesystem=False,
            s3=fsx.DataRepositoryAssociationS3Args(
                auto_import_policy=fsx.DataRepositoryAssociationS3AutoImportPolicyArgs(
                    events=policy
                ),
                auto_export_policy=fsx.DataRepositoryAssociationS3AutoExportPolicyArgs(
                    events=policy
                ),
            ),
            tags=named(self._args.tags, name),
            # With its key: FSx looks whether it may read and write there.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.bucket]),
        )

    def _group(
        self, name: str, description: str, ports: Sequence[tuple[int, int]]
    ) -> ec2.SecurityGroup:
        """A group that the nodes reach on these ports."""
        args = self._args
        group = ec2.SecurityGroup(
            name,
            description=description,
            vpc_id=args.vpc_id,
            tags=named(args.tags, name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._members(name, group.id, ports, args.client_groups)
        return group

    def _members(
        self,
        name: str,
        group: pulumi.Input[str],
        ports: Sequence[tuple[int, int]],
        members: Mapping[str, pulumi.Input[str]],
        *,
        outwards: bool = False,
    ) -> list[pulumi.Resource]:
        """Let the members reach the group on these ports, or the group them."""
        kind = vpc.SecurityGroupEgressRule if outwards else vpc.SecurityGroupIngressRule
        return [
            self._rule(f"{name}-{label}-{each[0]}", kind, group, member, each)
            for label, member in members.items()
            for each in ports
        ]

    def _both_ways(
        self, name: str, group: pulumi.Input[str], other: pulumi.Input[str]
    ) -> list[pulumi.Resource]:
        """Let the group reach the other one and be reached from it, with every protocol."""
        kinds = (vpc.SecurityGroupIngressRule, vpc.SecurityGroupEgressRule)
        return [self._rule(name, kind, group, other) for kind in kinds]

    def _rule(
        self,
        name: str,
        kind: type[vpc.SecurityGroupIngressRule] | type[vpc.SecurityGroupEgressRule],
        group: pulumi.Input[str],
        member: pulumi.Input[str],
        ports: tuple[int, int] | None = None,
    ) -> pulumi.Resource:
        """For TCP on these ports; without, for every protocol."""
        return kind(
            name,
            security_group_id=group,
            referenced_security_group_id=member,
            ip_protocol="-1" if ports is None else "tcp",
            from_port=ports[0] if ports else None,
            to_port=ports[1] if ports else None,
            tags=named(self._args.tags, name),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _backup_days(plan: FsxLustre) -> int | None:
    """FSx makes no backups of a file system that is linked to a bucket: the bucket is one."""
    is_linked = plan.repository_prefix is not None
    return BACKUP_DAYS if plan.deployment_type == "PERSISTENT_2" and not is_linked else None
