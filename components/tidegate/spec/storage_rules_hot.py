"""Sizes and throughputs of the fast file systems that a cloud does not offer."""

from tidegate.spec.catalogue import Architecture, Cloud
from tidegate.spec.errors import SpecError
from tidegate.spec.pool_facts import Findings, PoolFacts
from tidegate.spec.storage_tiers import (
    FsxLustre,
    HotTier,
    ManagedLustre,
    Parallelstore,
    StorageTiers,
)

FSX_THROUGHPUTS = (125, 250, 500, 1000)
"""MB/s for each TiB of PERSISTENT_2 on SSD (FSx API, PerUnitStorageThroughput)."""

FSX_FIRST_GIB = 1200
FSX_STEP_GIB = 2400
"""SSD: 1200 GiB, or multiples of 2400 (FSx API, StorageCapacity)."""

FSX_EFA_STEPS_GIB = {125: 38400, 250: 19200, 500: 9600, 1000: 4800}
"""With EFA: multiples by throughput.
https://docs.aws.amazon.com/fsx/latest/LustreGuide/increase-storage-capacity.html"""

MANAGED_LUSTRE_GIB = {
    1000: (9000, 1530000, 72000, 10008000),
    500: (18000, 3060000, 144000, 20016000),
    250: (36000, 6120000, 288000, 40032000),
    125: (72000, 12240000, 72000, 12240000),
}
"""By MB/s for each TiB: smallest size and step, up to where, the step above, largest size.
https://docs.cloud.google.com/managed-lustre/docs/performance-tiers"""

MANAGED_LUSTRE_FROM: dict[Architecture, str] = {
    "x86_64": "1.33.2-gke.1111000",
    "arm64": "1.34.1-gke.2541000",
}
"""By the nodes' processors: the first version whose nodes mount it, on Container-Optimized OS only.
https://docs.cloud.google.com/managed-lustre/docs/lustre-csi-driver-overview#limitations"""

LUSTRE_NAME_LENGTH = 8
"""lustre_v1.Instance.filesystem: letters and digits, at most eight."""

PARALLELSTORE_GIB = (12000, 100000, 4000)
"""parallelstore_v1.Instance.capacity_gib: from, to, in multiples of."""


def next_size(size: int, step: int) -> int:
    """The first multiple of the step that is not smaller, and at least one step."""
    return max(1, -(-size // step)) * step


def hot_findings(tiers: StorageTiers, cloud: Cloud, pools: tuple[PoolFacts, ...]) -> Findings:
    hot = tiers.hot
    if isinstance(hot, FsxLustre) and cloud == "aws":
        yield from _fsx_findings(hot, pools)
        if hot.repository_prefix is not None and tiers.cold is None:
            yield _no_bucket(hot.repository_prefix)
    elif isinstance(hot, ManagedLustre) and cloud == "gcp":
        yield from _managed_lustre_findings(hot)
        yield from _managed_lustre_node_findings(pools)
    elif isinstance(hot, Parallelstore) and cloud == "gcp":
        yield from _parallelstore_findings(hot)
    elif hot is not None and hot.kind == "localNvme":
        yield from _local_findings(hot, pools)


def _no_bucket(prefix: str) -> SpecError:
    return SpecError(
        "storage.hot.repositoryPrefix",
        prefix,
        "there is no bucket to read it from",
        "storage.cold with a bucket, or leave it out",
    )


def _fsx_findings(fsx: FsxLustre, pools: tuple[PoolFacts, ...]) -> Findings:
    if fsx.deployment_type == "SCRATCH_2":
        if fsx.throughput is not None:
            yield SpecError(
                "storage.hot.throughput",
                fsx.throughput,
                "a scratch file system has 200 MB/s for each TiB and takes no other",
                "leave it out, or deploymentType: PERSISTENT_2",
            )
        if fsx.efa:
            yield SpecError(
                "storage.hot.efa",
                True,
                "only PERSISTENT_2 can be reached over EFA",
                "deploymentType: PERSISTENT_2, or efa: false",
            )
    elif fsx.throughput not in FSX_THROUGHPUTS:
        yield SpecError(
            "storage.hot.throughput",
            fsx.throughput,
            "PERSISTENT_2 does not offer it",
            f"one of {', '.join(map(str, FSX_THROUGHPUTS))} (MB/s for each TiB)",
        )
    yield from _fsx_size_findings(fsx)
    if fsx.efa and not any(
        facts.pool.fabric.kind == "efa" and fsx.zone in facts.zones for facts in pools
    ):
        yield SpecError(
            "storage.hot.efa",
            True,
            f"no pool has EFA in {fsx.zone} to reach it with, and EFA stays in its zone",
            "efa: false, or fabric.kind: efa on a pool of the same zone",
        )


def _fsx_size_findings(fsx: FsxLustre) -> Findings:
    size = fsx.capacity_gib
    if fsx.efa and fsx.throughput in FSX_EFA_STEPS_GIB:
        step = FSX_EFA_STEPS_GIB[fsx.throughput]
        if size % step:
            yield SpecError(
                "storage.hot.capacityGib",
                size,
                f"with EFA and {fsx.throughput} MB/s for each TiB the size goes in steps of {step}",
                f"{next_size(size, step)}, or another throughput",
            )
    elif size != FSX_FIRST_GIB and size % FSX_STEP_GIB:
        yield SpecError(
            "storage.hot.capacityGib",
            size,
            f"FSx for Lustre has {FSX_FIRST_GIB} GiB or multiples of {FSX_STEP_GIB}",
            str(next_size(size, FSX_STEP_GIB)),
        )


def _managed_lustre_findings(lustre: ManagedLustre) -> Findings:
    tier = MANAGED_LUSTRE_GIB.get(lustre.throughput)
    if tier is None:
        yield SpecError(
            "storage.hot.throughput",
            lustre.throughput,
            "Managed Lustre does not offer it",
            f"one of {', '.join(map(str, sorted(MANAGED_LUSTRE_GIB)))} (MB/s for each TiB)",
        )
    else:
        yield from _managed_lustre_size_findings(lustre, tier)
    name = lustre.filesystem
    if not (name.isascii() and name.isalnum() and len(name) <= LUSTRE_NAME_LENGTH):
        yield SpecError(
            "storage.hot.filesystem",
            name,
            f"it has letters and digits only, at most {LUSTRE_NAME_LENGTH}",
            "a name such as 'lustre'",
        )


def _managed_lustre_size_findings(
    lustre: ManagedLustre, tier: tuple[int, int, int, int]
) -> Findings:
    first, threshold, upper_step, largest = tier
    size = lustre.capacity_gib
    step = first if size <= threshold else upper_step
    if first <= size <= largest and size % step == 0:
        return
    mend = min(max(first, next_size(size, step)), largest)
    yield SpecError(
        "storage.hot.capacityGib",
        size,
        f"with {lustre.throughput} MB/s for each TiB Managed Lustre has {first} to {largest} GiB "
        f"in steps of {first}, of {upper_step} above {threshold}",
        str(mend),
    )


def _managed_lustre_node_findings(pools: tuple[PoolFacts, ...]) -> Findings:
    for facts in pools:
        if facts.pool.image.family == "ubuntu":
            yield SpecError(
                f"pools.{facts.pool.name}.image.family",
                "ubuntu",
                "nodes mount Managed Lustre, which is storage.hot, on Container-Optimized OS only",
                "image.family: cos, or another storage.hot",
            )
    for architecture, first in MANAGED_LUSTRE_FROM.items():
        late = [
            each
            for each in pools
            if each.machine.architecture == architecture and each.is_before(first)
        ]
        if late:
            names = ", ".join(each.pool.name for each in late)
            yield SpecError(
                "gkeVersion",
                late[0].gke_version,
                f"{architecture} nodes, those of {names}, mount Managed Lustre, which is "
                f"storage.hot, from GKE {first} on",
                f"gkeVersion: {first} or newer, or another storage.hot",
            )


def _parallelstore_findings(store: Parallelstore) -> Findings:
    first, last, step = PARALLELSTORE_GIB
    size = store.capacity_gib
    if not first <= size <= last or size % step:
        yield SpecError(
            "storage.hot.capacityGib",
            size,
            f"Parallelstore has {first} to {last} GiB in multiples of {step}",
            str(min(max(first, next_size(size, step)), last)),
        )


def _local_findings(hot: HotTier, pools: tuple[PoolFacts, ...]) -> Findings:
    def used(facts: PoolFacts) -> bool:
        return facts.machine.has_local_disks and facts.pool.disks.local != "none"

    if not any(map(used, pools)):
        yield SpecError(
            "storage.hot.kind",
            hot.kind,
            "no pool of the cluster has local disks in use",
            "a machineType with local disks, disks.local other than none, or another kind",
        )
