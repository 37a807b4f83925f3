"""The tiers as pods see them: storage classes and volumes of the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from tidegate.spec.storage_tiers import LocalNvme, StorageTiers

HOT, WARM, COLD, BLOCK = "tidegate-hot", "tidegate-warm", "tidegate-cold", "tidegate-block"
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
    """Arguments of `Volumes`. `shared` is the id of the EFS file system, `bucket` a name."""

    lustre: LustreVolume | None
    shared: pulumi.Input[str] | None
    bucket: pulumi.Input[str] | None
    region: str
    labels: Mapping[str, str]


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
            options = ["read-only", f"region {args.region}"]
            names = {"bucketName": args.bucket}
            self._volume(COLD, "s3.csi.aws.com", COLD, names, "1Pi", options)
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
        kubernetes.storage.v1.StorageClass(
            f"{self._name}-{class_name}",
            metadata=self._metadata(class_name),
            provisioner=provisioner,
            parameters=dict(parameters) or None,
            volume_binding_mode=binding,
            reclaim_policy=reclaim,
            allow_volume_expansion=expands,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _volume(
        self,
        class_name: str,
        driver: str,
        handle: pulumi.Input[str],
        attributes: Mapping[str, pulumi.Input[str]],
        size: str,
        options: list[str],
    ) -> None:
        core = kubernetes.core.v1
        core.PersistentVolume(
            f"{self._name}-{class_name}",
            metadata=self._metadata(class_name),
            spec=core.PersistentVolumeSpecArgs(
                storage_class_name=class_name,
                access_modes=["ReadOnlyMany" if "read-only" in options else "ReadWriteMany"],
                capacity={"storage": size},
                mount_options=options,
                persistent_volume_reclaim_policy="Retain",
                csi=core.CSIPersistentVolumeSourceArgs(
                    driver=driver, volume_handle=handle, volume_attributes=dict(attributes)
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _metadata(self, name: str) -> kubernetes.meta.v1.ObjectMetaArgs:
        return kubernetes.meta.v1.ObjectMetaArgs(name=name, labels=dict(self._args.labels))
