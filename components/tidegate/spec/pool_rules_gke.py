"""What Compute Engine and GKE would refuse about a pool.

The combinations follow the preconditions of GoogleCloudPlatform/cluster-toolkit at 1047080,
modules/compute/gke-node-pool/main.tf.
"""

import re

from tidegate.spec.capacity import MAX_FLEX_SECONDS, Reservation
from tidegate.spec.errors import SpecError
from tidegate.spec.pool_facts import Findings, PoolFacts
from tidegate.spec.pool_rules_gke_nodes import node_findings

MANAGED_NETWORKS_FROM = "1.34.1-gke.1829001"
"""First version with managed DRANET (cluster-toolkit, gpu_direct.tf)."""

MIG_PROFILES_NOT_ON_GKE = {
    "a100-40gb": ("1g.10gb", "4g.20gb"),
    "a100-80gb": ("4g.40gb",),
    "h100": ("4g.40gb",),
}
"""By GPU. GKE's device plugin does not know them, or cuts a GPU into others under their name:
GoogleCloudPlatform/container-engine-accelerators at 992db81, pkg/gpu/nvidia/mig/mig.go and
partition_gpu/partition_gpu.go."""

_RESOURCE_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def gke_findings(facts: PoolFacts) -> Findings:
    yield from _fabric_findings(facts)
    yield from _partition_findings(facts)
    if facts.pool.capacity.kind == "reservation":
        yield from _reservation_findings(facts, facts.pool.capacity)
    yield from _flex_findings(facts)
    yield from _queued_findings(facts)
    yield from _compact_findings(facts)
    yield from node_findings(facts)


def _fabric_findings(facts: PoolFacts) -> Findings:
    fabric, machine = facts.pool.fabric, facts.machine
    direct = machine.gpu_direct
    if fabric.kind == "efa":
        yield SpecError("fabric.kind", "efa", "it is AWS's", "gpuDirect, or none")
    if fabric.interfaces is not None:
        yield SpecError(
            "fabric.interfaces",
            fabric.interfaces,
            "the machine type decides it on Google Cloud",
            "leave it out",
        )
    if fabric.exposure == "dra":
        yield SpecError(
            "fabric.exposure", "dra", "it is EKS's", "fabric.mode: managed, which uses DRA too"
        )
    if fabric.kind != "gpuDirect":
        return
    if direct is None:
        yield SpecError(
            "fabric.kind",
            "gpuDirect",
            f"no source shows GPUDirect for {machine.name}",
            "fabric.kind: none, or a machineType such as 'a3-megagpu-8g' or 'a4-highgpu-8g'",
        )
    elif fabric.mode == "managed" and not direct.manageable:
        yield SpecError(
            "fabric.mode",
            "managed",
            f"GPUDirect-{direct.technology} of {machine.name} needs networks of its own",
            "fabric.mode: explicit",
        )
    elif fabric.mode == "explicit" and direct.managed_only:
        yield SpecError(
            "fabric.mode",
            "explicit",
            f"GKE attaches the networks of {machine.name} itself",
            "fabric.mode: managed",
        )
    elif fabric.mode == "managed":
        yield from _managed_version_findings(facts)


def _managed_version_findings(facts: PoolFacts) -> Findings:
    if facts.is_before(MANAGED_NETWORKS_FROM):
        version = facts.gke_version or facts.kubernetes_version
        yield SpecError(
            "fabric.mode",
            "managed",
            f"it needs GKE {MANAGED_NETWORKS_FROM} and the cluster has {version}",
            "a newer gkeVersion, or fabric.mode: explicit",
        )


def _partition_findings(facts: PoolFacts) -> Findings:
    profile, gpu = facts.pool.sharing.mig_profile, facts.machine.gpu.of
    missing = MIG_PROFILES_NOT_ON_GKE.get(gpu.model, ())
    if profile in missing:
        known = ", ".join(each for each in gpu.multi_instance if each not in missing)
        yield SpecError(
            "sharing.migProfile",
            profile,
            f"GKE does not offer this partition of {gpu.product}",
            f"one of {known}",
        )


def _reservation_findings(facts: PoolFacts, reservation: Reservation) -> Findings:
    if not _RESOURCE_NAME.fullmatch(reservation.reservation):
        yield SpecError(
            "capacity.reservation",
            reservation.reservation,
            "it is no name of a reservation",
            "the name alone; write capacity.project for another project's, capacity.block for a "
            "block of it",
        )
    if reservation.block is not None and not facts.pool.zones:
        yield SpecError(
            "zones",
            None,
            "a block of a reservation is in one zone and GKE wants the pool to name it",
            f"zones: [<the block's>], one of {', '.join(facts.cluster_zones)}",
        )


def _flex_findings(facts: PoolFacts) -> Findings:
    capacity, pool = facts.pool.capacity, facts.pool
    if capacity.kind not in ("flexStart", "queued"):
        return
    if capacity.max_run_seconds > MAX_FLEX_SECONDS:
        yield SpecError(
            "capacity.maxRunSeconds",
            capacity.max_run_seconds,
            "nodes of the Dynamic Workload Scheduler run for seven days at most",
            f"maxRunSeconds: {MAX_FLEX_SECONDS} or less",
        )
    if capacity.kind == "queued" and not capacity.flex_start:
        return
    if pool.repair:
        yield SpecError(
            "repair",
            True,
            "flex-start nodes are never repaired, GKE refuses auto-repair with them",
            "repair: false, or leave it out",
        )
    if pool.is_static:
        yield SpecError(
            "nodes",
            pool.nodes_max,
            "flex-start adds nodes when pods ask for them, GKE refuses a fixed count",
            f"nodes: {{min: 0, max: {pool.nodes_max}}}",
        )
    if facts.compact_by is not None and not facts.machine.flex_start_compact:
        yield SpecError(
            *facts.compact_by,
            f"flex-start with compact placement is for A3 Ultra and A4, not {facts.machine.name}",
            "no placement, or machineType: a3-ultragpu-8g or a4-highgpu-8g",
        )


def _queued_findings(facts: PoolFacts) -> Findings:
    pool = facts.pool
    if pool.capacity.kind != "queued":
        return
    if pool.purpose != "training":
        yield SpecError(
            "capacity.kind",
            "queued",
            "such nodes come for a job's ProvisioningRequest only, never for pods of a server",
            "capacity.kind: flexStart, or purpose: training",
        )
    if pool.is_static or pool.nodes_min > 0:
        yield SpecError(
            "nodes",
            pool.nodes_min,
            "queued provisioning starts from no nodes",
            f"nodes: {{min: 0, max: {pool.nodes_max}}}",
        )
    if facts.compact_by is not None:
        yield SpecError(
            *facts.compact_by,
            "GKE refuses compact placement with queued provisioning",
            "no placement, or capacity.kind: flexStart",
        )


def _compact_findings(facts: PoolFacts) -> Findings:
    pool, machine = facts.pool, facts.machine
    if facts.compact_by is not None and pool.upgrade.strategy == "blueGreen":
        yield SpecError(
            "upgrade.strategy",
            "blueGreen",
            "the second set of nodes would not fit beside the first, GKE refuses it with compact "
            f"placement, which {facts.compact_by[0]} is",
            "upgrade.strategy: surge, or no placement",
        )
    topology, policy = pool.placement.topology, pool.placement.policy_name
    if topology is not None and policy is not None:
        yield SpecError(
            "placement.policyName",
            policy,
            f"a pool has one policy, and topology: {topology} is another, which is made for it",
            "topology alone, or policyName alone, of a policy with that topology",
        )
    if topology is not None and topology not in machine.topologies:
        known = ", ".join(machine.topologies)
        yield SpecError(
            "placement.topology",
            topology,
            f"{machine.name} has no such accelerator topology",
            f"one of {known}" if known else "leave it out",
        )
