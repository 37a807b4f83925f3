"""Storage in tiers: what the plan names, and how pods get it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes

from tidegate.gcp.bucket import Bucket, BucketArgs
from tidegate.gcp.cluster import StorageDrivers
from tidegate.gcp.file_systems import (
    LUSTRE_PORTS,
    FileSystemArgs,
    MountedShare,
    ServiceConnection,
    ServiceConnectionArgs,
    declare_filestore,
    declare_lustre,
    declare_parallelstore,
)
from tidegate.gcp.project import Project
from tidegate.gcp.volumes import (
    BLOCK_CLASS,
    COLD_CLASS,
    HOT_CLASS,
    HYPERDISK_CLASS,
    WARM_CLASS,
    block_class,
    bucket_volumes,
    share_class,
    share_volume,
)
from tidegate.kubernetes.objects import KubernetesObject, Manifest
from tidegate.spec.storage_tiers import Filestore, ManagedLustre, Parallelstore, StorageTiers

FILE_SERVICES = {
    "managedLustre": "lustre.googleapis.com",
    "filestore": "file.googleapis.com",
}
"""Services that encrypt files with the user's key, by kind of tier."""


def drivers_for(tiers: StorageTiers) -> StorageDrivers:
    """The CSI drivers that the tiers need."""
    return StorageDrivers(
        lustre=isinstance(tiers.hot, ManagedLustre),
        parallelstore=isinstance(tiers.hot, Parallelstore),
        filestore=isinstance(tiers.warm, Filestore),
        buckets=tiers.cold is not None,
    )


def services_for(tiers: StorageTiers) -> tuple[str, ...]:
    """The services whose accounts must be able to use the key of files."""
    kinds = [each.kind for each in (tiers.hot, tiers.warm) if each is not None]
    return tuple(FILE_SERVICES[kind] for kind in kinds if kind in FILE_SERVICES)


def storage_classes(tiers: StorageTiers) -> dict[str, str]:
    """Class by tier, for tiers that have one; local disks are the nodes' own scratch space."""
    classes = {}
    if isinstance(tiers.hot, ManagedLustre | Parallelstore):
        classes["hot"] = HOT_CLASS
    if isinstance(tiers.warm, Filestore):
        classes["warm"] = WARM_CLASS
    if tiers.cold is not None:
        classes["cold"] = COLD_CLASS
    return classes


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """Arguments of `Storage`. `network` is the VPC's id; keys are names of keys of Cloud KMS."""

    project: Project
    region: str
    tiers: StorageTiers
    network: pulumi.Input[str]
    labels: Mapping[str, str]
    file_key: pulumi.Input[str]
    bucket_key: pulumi.Input[str]
    protect: bool


class Storage(pulumi.ComponentResource):
    """File systems and the bucket of a cluster. They do not need the cluster to be there."""

    bucket: Bucket | None
    shares: Mapping[str, MountedShare]

    def __init__(
        self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:Storage", name, None, opts)
        self.bucket = self._bucket(name, args)
        self.shares = self._shares(name, args)
        self.register_outputs({})

    def _bucket(self, name: str, args: StorageArgs) -> Bucket | None:
        if args.tiers.cold is None:
            return None
        return Bucket(
            name,
            BucketArgs(
                project=args.project,
                region=args.region,
                bucket=args.tiers.cold,
                labels=args.labels,
                key=args.bucket_key,
                protect=args.protect,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _shares(self, name: str, args: StorageArgs) -> dict[str, MountedShare]:
        hot, warm = args.tiers.hot, args.tiers.warm
        if not isinstance(hot, ManagedLustre | Parallelstore) and warm is None:
            return {}
        common = FileSystemArgs(
            project=args.project,
            region=args.region,
            network=args.network,
            labels=args.labels,
            key=args.file_key,
            protect=args.protect,
        )
        connection = ServiceConnection(
            f"{name}-services",
            ServiceConnectionArgs(
                project=args.project,
                network=args.network,
                labels=args.labels,
                ports=None if isinstance(hot, Parallelstore) else LUSTRE_PORTS,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        shares: dict[str, MountedShare] = {}
        if isinstance(hot, ManagedLustre):
            shares[HOT_CLASS] = declare_lustre(f"{name}-hot", hot, common, self, connection)
        elif isinstance(hot, Parallelstore):
            shares[HOT_CLASS] = declare_parallelstore(f"{name}-hot", hot, common, self, connection)
        if isinstance(warm, Filestore):
            shares[WARM_CLASS] = declare_filestore(f"{name}-warm", warm, common, self, connection)
        return shares


@dataclass(frozen=True, kw_only=True)
class VolumesArgs:
    """Arguments of `Volumes`. `shares` by the class that claims name; `bucket` is one's name.

    `hyperdisk`: some nodes attach no other disks.
    """

    provider: pulumi_kubernetes.Provider
    shares: Mapping[str, MountedShare]
    bucket: pulumi.Input[str] | None
    bucket_locked: bool
    disk_key: pulumi.Input[str]
    labels: Mapping[str, str]
    hyperdisk: bool = False
    depends_on: Sequence[pulumi.Resource] = ()


class Volumes(pulumi.ComponentResource):
    """The tiers as the cluster's pods see them: storage classes and volumes."""

    def __init__(
        self, name: str, args: VolumesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:Volumes", name, None, opts)
        for content in self._manifests(args):
            KubernetesObject(
                f"{name}-{content['kind'].lower()}-{content['metadata']['name']}",
                content,
                pulumi.ResourceOptions(
                    parent=self, provider=args.provider, depends_on=args.depends_on
                ),
            )
        self.register_outputs({})

    def _manifests(self, args: VolumesArgs) -> list[Manifest]:
        disks = (BLOCK_CLASS, HYPERDISK_CLASS) if args.hyperdisk else (BLOCK_CLASS,)
        manifests = [block_class(each, args.disk_key, args.labels) for each in disks]
        for name, share in args.shares.items():
            manifests += [share_class(name, args.labels), share_volume(name, share, args.labels)]
        if args.bucket is not None:
            manifests.append(share_class(COLD_CLASS, args.labels))
            manifests += bucket_volumes(args.bucket, args.labels, locked=args.bucket_locked)
        return manifests
