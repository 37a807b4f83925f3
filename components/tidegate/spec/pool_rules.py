"""What no cloud would give: rules about one pool that do not depend on the cloud."""

from tidegate.spec.errors import SpecError
from tidegate.spec.node_pool import NodePool
from tidegate.spec.pool_facts import Findings, PoolFacts, version_numbers
from tidegate.spec.pool_rules_aws import aws_findings
from tidegate.spec.pool_rules_gke import gke_findings
from tidegate.spec.sharing import MAX_CLIENTS

_RESERVED_PREFIXES = ("kubernetes.io", "k8s.io", "tidegate.dev")


def pool_findings(facts: PoolFacts) -> Findings:
    """Every finding about the pool, the general ones first."""
    yield from _zone_findings(facts)
    yield from _capacity_findings(facts)
    yield from _sharing_findings(facts)
    yield from _placement_findings(facts)
    yield from _image_findings(facts)
    yield from _version_findings(facts)
    yield from _name_findings(facts.pool)
    if facts.cloud == "aws":
        yield from aws_findings(facts)
    else:
        yield from gke_findings(facts)


def _zone_findings(facts: PoolFacts) -> Findings:
    zones, there = facts.pool.zones, facts.cluster_zones
    for zone in zones:
        if zone not in there:
            yield SpecError(
                "zones",
                zone,
                "the cluster has no subnet in this zone",
                f"one of {', '.join(there)}, or add it to the cluster's zones",
            )
    for zone in sorted({each for each in zones if zones.count(each) > 1}):
        yield SpecError("zones", zone, "it is named twice", "each zone once")
    uses_fabric = facts.pool.fabric.kind != "none"
    if uses_fabric and facts.machine.one_zone_fabric and len(facts.zones) > 1:
        yield SpecError(
            "zones",
            ", ".join(facts.zones),
            f"the {facts.pool.fabric.kind} fabric of {facts.machine.name} does not reach from one "
            "zone into another",
            f"zones: [{facts.zones[0]}], and a further pool for each other zone",
        )


def _capacity_findings(facts: PoolFacts) -> Findings:
    capacity, machine = facts.pool.capacity, facts.machine
    if capacity.kind in ("flexStart", "queued") and facts.cloud == "aws":
        yield SpecError(
            "capacity.kind",
            capacity.kind,
            "only Google Cloud has it",
            "capacityBlock, reservation, spot or onDemand",
        )
    elif capacity.kind == "capacityBlock" and facts.cloud == "gcp":
        yield SpecError(
            "capacity.kind",
            capacity.kind,
            "only AWS has it",
            "reservation, flexStart, queued, spot or onDemand",
        )
    elif capacity.kind not in machine.capacity:
        yield SpecError(
            "capacity.kind",
            capacity.kind,
            f"no source shows that {machine.name} can be had this way",
            f"one of {', '.join(machine.capacity)}",
        )
    ends = capacity.ends if capacity.kind == "reservation" else None
    if ends is not None and ends <= facts.now:
        yield SpecError(
            "capacity.ends",
            ends.isoformat(),
            f"the reservation has ended, it is {facts.now.isoformat()}",
            "a reservation that still runs, or another capacity kind",
        )


def _sharing_findings(facts: PoolFacts) -> Findings:
    sharing, gpu = facts.pool.sharing, facts.machine.gpu
    profiles = gpu.of.multi_instance
    if sharing.mig_profile is not None and sharing.mig_profile not in profiles:
        known = f"one of {', '.join(profiles)}" if profiles else "no migProfile for this GPU"
        why = "has no such profile" if profiles else "cannot be cut into instances (MIG)"
        yield SpecError("sharing.migProfile", sharing.mig_profile, f"{gpu.of.product} {why}", known)
    if sharing.strategy == "mps" and sharing.mig_profile is not None:
        yield SpecError(
            "sharing.strategy",
            "mps",
            "MPS and MIG exclude each other",
            "either migProfile alone, or strategy: mps alone; timeSlicing goes with MIG",
        )
    if sharing.strategy is None and sharing.clients is not None:
        yield SpecError(
            "sharing.clients",
            sharing.clients,
            "nothing says how they share",
            "strategy: timeSlicing or strategy: mps with it",
        )
    clients = sharing.clients
    if sharing.strategy is not None and (clients is None or not 2 <= clients <= MAX_CLIENTS):
        yield SpecError(
            "sharing.clients",
            clients,
            f"between 2 and {MAX_CLIENTS} pods can share a GPU",
            f"clients: a number from 2 to {MAX_CLIENTS}, or no strategy",
        )
    if sharing.shares and facts.pool.fabric.kind != "none":
        yield SpecError(
            "sharing",
            sharing.mig_profile or sharing.strategy,
            "NCCL over the fabric takes whole GPUs, each of them once",
            "fabric.kind: none for shared GPUs, or whole GPUs on the fabric",
        )
    if sharing.strategy is not None and facts.pool.purpose == "training":
        yield SpecError(
            "sharing.strategy",
            sharing.strategy,
            "two training processes on one GPU run out of its memory without warning",
            "migProfile, which divides the memory, or no sharing",
        )


def _placement_findings(facts: PoolFacts) -> Findings:
    if facts.compact_by is not None and len(facts.zones) > 1:
        yield SpecError(
            *facts.compact_by,
            f"compact placement is in one zone and the pool has {len(facts.zones)}",
            f"zones: [{facts.zones[0]}], or no placement",
        )


def _image_findings(facts: PoolFacts) -> Findings:
    wanted, machine = facts.pool.image.architecture, facts.machine
    if wanted is not None and wanted != machine.architecture:
        yield SpecError(
            "image.architecture",
            wanted,
            f"{machine.name} has {machine.architecture} processors and the image would not start",
            f"image.architecture: {machine.architecture}, or leave it out",
        )


def _version_findings(facts: PoolFacts) -> Findings:
    wanted, there = facts.machine.kubernetes_from, facts.kubernetes_version
    if wanted is not None and version_numbers(there) < version_numbers(wanted):
        yield SpecError(
            "machineType",
            facts.machine.name,
            f"it needs Kubernetes {wanted} and the cluster has {there}",
            f"kubernetesVersion: '{wanted}' or newer, or another type",
        )


def _name_findings(pool: NodePool) -> Findings:
    for key in [*pool.labels, *(taint.key for taint in pool.taints)]:
        prefix = key.split("/")[0] if "/" in key else ""
        if any(prefix == each or prefix.endswith("." + each) for each in _RESERVED_PREFIXES):
            place = "labels" if key in pool.labels else "taints"
            yield SpecError(
                place,
                key,
                f"{prefix} belongs to Kubernetes, to the cloud or to tidegate",
                "a prefix of your own, such as example.com/",
            )
    if any(taint.key == "nvidia.com/gpu" for taint in pool.taints):
        yield SpecError(
            "taints",
            "nvidia.com/gpu",
            "every pool with GPUs has this taint already",
            "leave it out",
        )
    upgrade = pool.upgrade
    if upgrade.strategy == "surge" and not (upgrade.max_surge or upgrade.max_unavailable):
        yield SpecError(
            "upgrade.maxUnavailable",
            0,
            "with neither a node more nor a node less no node could ever be replaced",
            "maxUnavailable: 1, or on Google Cloud maxSurge: 1 when there are nodes to spare",
        )
