"""Sizes, throughputs and combinations of storage that a cloud does not offer."""

from collections.abc import Callable

from tidegate.spec.catalogue import Cloud
from tidegate.spec.errors import SpecError
from tidegate.spec.pool_facts import Findings, PoolFacts
from tidegate.spec.storage_rules_hot import hot_findings, next_size
from tidegate.spec.storage_tiers import (
    GCS_CLASSES,
    S3_CLASSES,
    Efs,
    Filestore,
    ObjectBucket,
    StorageTiers,
)

FILESTORE_GIB: dict[str, tuple[tuple[int, int, int], ...]] = {
    "BASIC_HDD": ((1024, 65433, 1),),
    "BASIC_SSD": ((2560, 65433, 1),),
    "ZONAL": ((1024, 9984, 256), (10240, 102400, 2560)),
    "REGIONAL": ((100, 10239, 1), (10240, 102400, 2560)),
}
"""Ranges of each tier: from, to, step. https://docs.cloud.google.com/filestore/docs/service-tiers"""

S3_PREFIX_LENGTH = 36
"""A bucket's name has at most 63 characters, of which 26 and a hyphen are the provider's own."""

S3_INFREQUENT_DAYS = 30
"""S3 moves no object into STANDARD_IA before (PutBucketLifecycleConfiguration)."""

_CLOUD_OF = {
    "fsxLustre": "aws",
    "efs": "aws",
    "managedLustre": "gcp",
    "parallelstore": "gcp",
    "filestore": "gcp",
}
_INSTEAD = {
    ("hot", "aws"): "fsxLustre or localNvme",
    ("hot", "gcp"): "managedLustre, parallelstore or localNvme",
    ("warm", "aws"): "efs",
    ("warm", "gcp"): "filestore",
}


def storage_findings(
    tiers: StorageTiers, cloud: Cloud, zones: tuple[str, ...], pools: tuple[PoolFacts, ...]
) -> Findings:
    """Sizes and combinations not offered, over all tiers. Fields begin with `storage`."""
    for tier, content in (("hot", tiers.hot), ("warm", tiers.warm)):
        if content is not None and _CLOUD_OF.get(content.kind, cloud) != cloud:
            yield SpecError(
                f"storage.{tier}.kind",
                content.kind,
                f"it is not offered on {cloud}",
                _INSTEAD[tier, cloud],
            )
            continue
        zone = getattr(content, "zone", None)
        if zone is not None and zone not in zones:
            yield SpecError(
                f"storage.{tier}.zone",
                zone,
                "the cluster has no subnet in this zone",
                f"one of {', '.join(zones)}",
            )
    yield from hot_findings(tiers, cloud, pools)
    match tiers.warm:
        case Filestore() as filestore if cloud == "gcp":
            yield from _filestore_findings(filestore)
        case Efs() as efs if cloud == "aws":
            yield from _efs_findings(efs)
    if tiers.cold is not None:
        yield from _bucket_findings(tiers.cold, cloud)


def _filestore_findings(filestore: Filestore) -> Findings:
    size, ranges = filestore.capacity_gib, FILESTORE_GIB[filestore.tier]
    offered = [
        each for each in ranges if each[0] <= size <= each[1] and (size - each[0]) % each[2] == 0
    ]
    if not offered:
        told = " and ".join(f"{first} to {last} in steps of {step}" for first, last, step in ranges)
        yield SpecError(
            "storage.warm.capacityGib",
            size,
            f"Filestore {filestore.tier} has {told} GiB",
            str(_next_in(size, ranges)),
        )
    if filestore.tier == "REGIONAL" and filestore.zone is not None:
        yield SpecError(
            "storage.warm.zone", filestore.zone, "REGIONAL is in all zones", "leave it out"
        )
    if filestore.tier != "REGIONAL" and filestore.zone is None:
        yield SpecError(
            "storage.warm.zone", None, f"{filestore.tier} is in one zone", "the zone it shall be in"
        )


def _efs_findings(efs: Efs) -> Findings:
    provisioned = efs.throughput_mode == "provisioned"
    if provisioned != (efs.provisioned_mibps is not None):
        yield SpecError(
            "storage.warm.provisionedMibps",
            efs.provisioned_mibps,
            "it goes with throughputMode: provisioned, and only with it",
            "both, or neither",
        )


def _bucket_findings(bucket: ObjectBucket, cloud: Cloud) -> Findings:
    if bucket.secure_transport_policy and cloud != "gcp":
        yield SpecError(
            "storage.cold.secureTransportPolicy",
            True,
            "every bucket on aws refuses plain HTTP by a policy of its own",
            "nothing, leave it out",
        )
    if cloud == "aws" and len(bucket.name_prefix) > S3_PREFIX_LENGTH:
        yield SpecError(
            "storage.cold.namePrefix",
            bucket.name_prefix,
            "with what is added to make it unique the bucket's name would be longer than 63",
            f"at most {S3_PREFIX_LENGTH} characters",
        )
    classes = S3_CLASSES if cloud == "aws" else GCS_CLASSES
    order: Callable[[str], int] = classes.index
    before = -1
    for position, each in enumerate(bucket.transitions):
        field = f"storage.cold.transitions.{position}"
        if each.storage_class not in classes:
            yield SpecError(
                f"{field}.storageClass",
                each.storage_class,
                f"objects on {cloud} have no such class to go to",
                f"one of {', '.join(classes)}",
            )
            continue
        if order(each.storage_class) <= before:
            yield SpecError(
                f"{field}.storageClass",
                each.storage_class,
                "it is not colder than the class before it, and objects never become warmer",
                f"one of {', '.join(classes[before + 1 :]) or 'nothing, leave it out'}",
            )
        before = order(each.storage_class)
        if each.storage_class == "STANDARD_IA" and each.after_days < S3_INFREQUENT_DAYS:
            yield SpecError(
                f"{field}.afterDays",
                each.after_days,
                f"S3 moves no object into STANDARD_IA before {S3_INFREQUENT_DAYS} days",
                f"afterDays: {S3_INFREQUENT_DAYS}, or INTELLIGENT_TIERING",
            )


def _next_in(size: int, ranges: tuple[tuple[int, int, int], ...]) -> int:
    """The next size offered, or the largest of all."""
    for first, last, step in ranges:
        if size <= last:
            return first if size <= first else min(last, first + next_size(size - first, step))
    return ranges[-1][1]
