"""The tiers as pods see them: storage classes and volumes of the cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from tidegate.aws.storage import Storage
from tidegate.kubernetes.objects import KubernetesObject, manifest
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.storage_tiers import FsxLustre, LocalNvme, StorageTiers

HOT, WARM, COLD, BLOCK = "tidegate-hot", "tidegate-warm", "tidegate-cold", "tidegate-block"
MODELS, CHECKPOINTS = "tidegate-models", "tidegate-checkpoints"
CHECKPOINT_PREFIX = "checkpoints"
MODEL_CACHE = {"cache": "emptyDir", "cacheEmptyDirSizeLimit": "100Gi"}
"""Attributes of Mountpoint's driver: what was read once stays on the node, up to this much.

https://github.com/awslabs/mountpoint-s3-csi-driver/blob/main/docs/CACHING.md
"""
TIERS = {"hot": HOT, "warm": WARM, "cold": COLD}
WITHOUT_PROVISIONER = "kubernetes.io/no-provisioner"


@dataclass(frozen=True, kw_only=True)
class LustreVolume:
    """A file system of FSx for Lustre, as its clients mount it."""

    id: pulumi.Input[str]
    dns_name: pulumi.Input[str]
    mount_name: pulumi.Input[str]
    capacity_gib: int


@dataclass(frozen=True, kw_only=True)
class VolumesArgs:
    """Arguments of `Volumes`. `shared` is the id of the EFS file system, `bucket` a name.

    `bucket_locked`: nothing in it can be replaced.
    """

    lustre: LustreVolume | None
    shared: pulumi.Input[str] | None
    bucket: pulumi.Input[str] | None
    bucket_locked: bool
    region: str
    labels: Mapping[str, str]


def volumes_of(storage: Storage, plan: ClusterPlan, labels: Mapping[str, str]) -> VolumesArgs:
    """Of the tiers that were made."""
    hot, lustre, bucket = plan.storage.hot, storage.lustre, storage.bucket
    volume = None
    if lustre is not None and isinstance(hot, FsxLustre):
        volume = LustreVolume(
            id=lustre.id,
            dns_name=lustre.dns_name,
            mount_name=lustre.mount_name,
            capacity_gib=hot.capacity_gib,
        )
    return VolumesArgs(
        lustre=volume,
        shared=storage.shared.id if storage.shared is not None else None,
        bucket=bucket.id if bucket is not None else None,
        bucket_locked=bucket is not None and bucket.locked,
        region=plan.region,
        labels=labels,
    )


def storage_classes(plan: StorageTiers) -> dict[str, str]:
    """Class of each tier that has one: the nodes' own disks are scratch space, not volumes."""
    made = {"hot": plan.hot, "warm": plan.warm, "cold": plan.cold}
    return {
        tier: TIERS[tier]
        for tier, each in made.items()
        if each is not None and not isinstance(each, LocalNvme)
    }


class Volumes(pulumi.ComponentResource):
    """`tidegate-block` for every disk of a pod; `tidegate-hot`, `-warm` and `-cold` by tier.

    Hot and cold are one volume each, which many pods mount. Warm makes a folder for each claim.
    The bucket's `models` are a volume of their own that nodes keep a cache of, and so are its
    `checkpoints`, to write. A bucket that is locked has none: they are replaced all the time.
    """

    def __init__(
        self, name: str, args: VolumesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:Volumes", name, None, opts)
        self._name, self._args = name, args
        self._class(
            BLOCK,
            "ebs.csi.aws.com",
            {"type": "gp3", "encrypted": "true"},
            binding="WaitForFirstConsumer",
            expands=True,
        )
        if args.shared is not None:
            parameters: dict[str, pulumi.Input[str]] = {
                "provisioningMode": "efs-ap",
                "fileSystemId": args.shared,
                "directoryPerms": "700",
            }
            self._class(WARM, "efs.csi.aws.com", parameters)
        if args.lustre is not None:
            self._class(HOT, WITHOUT_PROVISIONER, {}, reclaim="Retain")
            attributes = {
                "dnsname": args.lustre.dns_name,
                "mountname": args.lustre.mount_name,
            }
            size = f"{args.lustre.capacity_gib}Gi"
            self._volume(HOT, "fsx.csi.aws.com", args.lustre.id, attributes, size, ["flock"])
        if args.bucket is not None:
            self._class(COLD, WITHOUT_PROVISIONER, {}, reclaim="Retain")
            self._bucket(COLD, args.bucket, ["read-only"])
            self._bucket(MODELS, args.bucket, ["read-only", "prefix models/"], MODEL_CACHE)
            if not args.bucket_locked:
                writes = ["allow-delete", "allow-overwrite", f"prefix {CHECKPOINT_PREFIX}/"]
                self._bucket(CHECKPOINTS, args.bucket, writes)
        self.register_outputs({})

    def _class(
        self,
        class_name: str,
        provisioner: str,
        parameters: Mapping[str, pulumi.Input[str]],
        *,
        binding: str = "Immediate",
        reclaim: str = "Delete",
        expands: bool = False,
    ) -> None:
        content: dict[str, Any] = {"parameters": dict(parameters)} if parameters else {}
        self._object(
            "storage.k8s.io/v1",
            "StorageClass",
            class_name,
            provisioner=provisioner,
            volumeBindingMode=binding,
            reclaimPolicy=reclaim,
            allowVolumeExpansion=expands,
            **content,
        )

    def _bucket(
        self,
        name: str,
        bucket: pulumi.Input[str],
        options: Sequence[str],
        more: Mapping[str, str] | None = None,
    ) -> None:
        attributes: dict[str, pulumi.Input[str]] = {"bucketName": bucket, **(more or {})}
        mount_options = [*options, f"region {self._args.region}"]
        self._volume(name, "s3.csi.aws.com", name, attributes, "1Pi", mount_options)

    def _volume(
        self,
        name: str,
        driver: str,
        handle: pulumi.Input[str],
        attributes: Mapping[str, pulumi.Input[str]],
        size: str,
        options: list[str],
    ) -> None:
        csi = {"driver": driver, "volumeHandle": handle, "volumeAttributes": dict(attributes)}
        self._object(
            "v1",
            "PersistentVolume",
            name,
            spec={
                # Of its own, so that a claim can only mean this volume.
                "storageClassName": name,
                "accessModes": ["ReadOnlyMany" if "read-only" in options else "ReadWriteMany"],
                "capacity": {"storage": size},
                "mountOptions": options,
                "persistentVolumeReclaimPolicy": "Retain",
                "csi": csi,
            },
        )

    def _object(self, api_version: str, kind: str, name: str, **content: Any) -> None:
        KubernetesObject(
            f"{self._name}-{name}",
            manifest(api_version, kind, name, None, self._args.labels, **content),
            pulumi.ResourceOptions(parent=self),
        )
