"""Volumes of the cluster: classes, and a volume for each tier that is there already."""

from collections.abc import Mapping
from typing import Any

import pulumi

from tidegate.gcp.file_systems import MountedShare
from tidegate.kubernetes.objects import Manifest, manifest

HOT_CLASS = "tidegate-hot"
WARM_CLASS = "tidegate-warm"
COLD_CLASS = "tidegate-cold"
BLOCK_CLASS = "tidegate-block"
HYPERDISK_CLASS = "tidegate-block-hyperdisk"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
BUCKET_DRIVER = "gcsfuse.csi.storage.gke.io"
TRAINING_PROFILE = "gcsfusecsi-training"
SERVING_PROFILE = "gcsfusecsi-serving"
CHECKPOINT_PROFILE = "gcsfusecsi-checkpointing"
"""GKE's own classes with settings of Cloud Storage FUSE for a use (cluster-toolkit at 1047080,
modules/file-system/gke-persistent-volume). A claim of their volumes names the volume."""

BUCKET_VOLUME_SIZE = "100Ti"
"""A bucket has no size, and a volume must have one."""


DISK_TYPES = {BLOCK_CLASS: "pd-balanced", HYPERDISK_CLASS: "hyperdisk-balanced"}
"""By class. Machines of some families attach Hyperdisk only."""


def block_class(name: str, key: pulumi.Input[str], labels: Mapping[str, str]) -> Manifest:
    """Disks that are encrypted with an own key."""
    return manifest(
        "storage.k8s.io/v1",
        "StorageClass",
        name,
        None,
        labels,
        provisioner="pd.csi.storage.gke.io",
        parameters={"type": DISK_TYPES[name], "disk-encryption-kms-key": key},
        volumeBindingMode="WaitForFirstConsumer",
        allowVolumeExpansion=True,
        reclaimPolicy="Delete",
    )


def share_class(name: str, labels: Mapping[str, str]) -> Manifest:
    """The class of a tier whose volume is there: claims bind to it, none is made for them."""
    return manifest(
        "storage.k8s.io/v1",
        "StorageClass",
        name,
        None,
        labels,
        provisioner=NO_PROVISIONER,
        volumeBindingMode="Immediate",
        reclaimPolicy="Retain",
    )


def share_volume(name: str, share: MountedShare, labels: Mapping[str, str]) -> Manifest:
    """The whole share, for many readers and writers."""
    return _volume(
        name,
        labels,
        "ReadWriteMany",
        storageClassName=name,
        capacity={"storage": f"{share.capacity_gib}Gi"},
        csi={
            "driver": share.driver,
            "volumeHandle": share.handle,
            "volumeAttributes": dict(share.attributes),
        },
    )


def bucket_volumes(
    bucket: pulumi.Input[str], labels: Mapping[str, str], *, locked: bool
) -> list[Manifest]:
    """The cold bucket as files: all of it, its `models` and its `datasets` to read, its
    `checkpoints` to write.

    A bucket that is `locked` has no checkpoints: they are written again and again.
    """
    made = [
        _bucket_volume(COLD_CLASS, bucket, labels, COLD_CLASS, None, "ReadOnlyMany"),
        _bucket_volume(
            "tidegate-models", bucket, labels, SERVING_PROFILE, "models", "ReadOnlyMany"
        ),
        _bucket_volume(
            "tidegate-datasets", bucket, labels, TRAINING_PROFILE, "datasets", "ReadOnlyMany"
        ),
    ]
    if locked:
        return made
    checkpoints = _bucket_volume(
        "tidegate-checkpoints", bucket, labels, CHECKPOINT_PROFILE, "checkpoints", "ReadWriteMany"
    )
    return [*made, checkpoints]


def _bucket_volume(
    name: str,
    bucket: pulumi.Input[str],
    labels: Mapping[str, str],
    storage_class: str,
    folder: str | None,
    access: str,
) -> Manifest:
    options = ["ro"] if access == "ReadOnlyMany" else []
    # Of the whole bucket no profile says so, and folders that were uploaded would not be seen.
    options.append("implicit-dirs" if folder is None else f"only-dir={folder}")
    return _volume(
        name,
        labels,
        access,
        storageClassName=storage_class,
        capacity={"storage": BUCKET_VOLUME_SIZE},
        mountOptions=options,
        csi={"driver": BUCKET_DRIVER, "volumeHandle": bucket},
    )


def _volume(name: str, labels: Mapping[str, str], access: str, **spec: Any) -> Manifest:
    return manifest(
        "v1",
        "PersistentVolume",
        name,
        None,
        labels,
        spec={
            "accessModes": [access],
            "persistentVolumeReclaimPolicy": "Retain",
            "volumeMode": "Filesystem",
            **spec,
        },
    )
