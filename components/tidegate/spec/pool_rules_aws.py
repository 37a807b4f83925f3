"""What EC2 and EKS would refuse about a pool, or accept and never carry out."""

from tidegate.spec.errors import SpecError
from tidegate.spec.fabric import efa_layout, no_such_layout
from tidegate.spec.node_settings import AWS_BOOT_DISKS
from tidegate.spec.pool_facts import Findings, PoolFacts, version_numbers
from tidegate.spec.pool_rules_aws_capacity import aws_capacity_findings

KEY_LENGTH = 63
"""Of labels' and taints' keys, prefix included (EKS API, labelKey and taintKey)."""
_DRA_FROM = (1, 34)


def aws_findings(facts: PoolFacts) -> Findings:
    yield from _fabric_findings(facts)
    yield from aws_capacity_findings(facts)
    yield from _node_findings(facts)
    yield from _key_findings(facts)
    yield from _elastic_findings(facts)


def _fabric_findings(facts: PoolFacts) -> Findings:
    fabric, machine = facts.pool.fabric, facts.machine
    if fabric.kind == "gpuDirect":
        yield SpecError("fabric.kind", "gpuDirect", "it is Google Cloud's", "efa, or none")
    if fabric.kind == "efa" and efa_layout(machine, fabric.interfaces) is None:
        yield no_such_layout(machine, fabric.interfaces)
    if fabric.mode == "managed":
        yield SpecError(
            "fabric.mode", "managed", "only GKE attaches networks itself", "leave it out on AWS"
        )
    if fabric.exposure == "dra" and version_numbers(facts.kubernetes_version)[:2] < _DRA_FROM:
        yield SpecError(
            "fabric.exposure",
            "dra",
            f"its driver needs Kubernetes 1.34 and the cluster has {facts.kubernetes_version}",
            "exposure: devicePlugin, or a newer kubernetesVersion",
        )


def _node_findings(facts: PoolFacts) -> Findings:
    pool, machine = facts.pool, facts.machine
    if pool.image.family in ("cos", "ubuntu"):
        yield SpecError(
            "image.family", pool.image.family, "EKS has no such AMI type", "al2023 or bottlerocket"
        )
    if pool.image.family == "bottlerocket" and pool.sharing.shares:
        yield SpecError(
            "sharing",
            pool.sharing.mig_profile or pool.sharing.strategy,
            "Bottlerocket runs a device plugin of its own, which knows nothing of what the GPU "
            "operator is told about sharing",
            "image.family: al2023, or leave sharing out",
        )
    if pool.disks.boot_type is not None and pool.disks.boot_type not in AWS_BOOT_DISKS:
        yield SpecError(
            "disks.bootType",
            pool.disks.boot_type,
            "nodes of EKS do not boot from it here",
            f"one of {', '.join(AWS_BOOT_DISKS)}",
        )
    local = pool.disks.local
    if local in ("ephemeral", "block"):
        yield SpecError("disks.local", local, "it is Google Cloud's", "raid0, or none")
    if local == "raid0" and not machine.has_local_disks:
        yield SpecError(
            "disks.local",
            local,
            f"no source shows local disks of {machine.name}",
            "local: none, or a machineType with instance store disks",
        )
    if pool.upgrade.strategy == "blueGreen":
        yield SpecError(
            "upgrade.strategy",
            "blueGreen",
            "node groups of EKS are replaced node by node",
            "strategy: surge; for blue-green add a second pool and remove the first one",
        )
    if pool.upgrade.max_surge:
        yield SpecError(
            "upgrade.maxSurge",
            pool.upgrade.max_surge,
            "EKS decides itself how many nodes more it starts",
            "maxSurge: 0, and maxUnavailable for the nodes replaced at once",
        )
    for name in ("topology", "policy_name"):
        value = getattr(pool.placement, name)
        if value is not None:
            field = "topology" if name == "topology" else "policyName"
            yield SpecError(
                f"placement.{field}", value, "only Google Cloud has it", "placement.compact: true"
            )


def _key_findings(facts: PoolFacts) -> Findings:
    for place, keys in (
        ("labels", facts.pool.labels),
        ("taints", [taint.key for taint in facts.pool.taints]),
    ):
        for key in keys:
            if len(key) > KEY_LENGTH:
                yield SpecError(
                    place,
                    key,
                    f"EKS takes keys of at most {KEY_LENGTH} characters, prefix included",
                    "a shorter key",
                )


def _elastic_findings(facts: PoolFacts) -> Findings:
    pool = facts.pool
    if not pool.elastic:
        return
    if pool.is_static:
        yield SpecError(
            "nodes",
            pool.nodes_max,
            "Karpenter adds and removes nodes, and a fixed count leaves it nothing to do",
            f"nodes: {{min: 0, max: {pool.nodes_max}}}, or elastic: false",
        )
    elif pool.nodes_min > 0:
        yield SpecError(
            "nodes",
            pool.nodes_min,
            "Karpenter keeps no lowest number of nodes",
            f"nodes: {{min: 0, max: {pool.nodes_max}}}, or elastic: false",
        )
    if pool.fabric.kind == "efa":
        yield SpecError(
            "elastic",
            True,
            "Karpenter lays EFA interfaces out its own way, which is wrong for some types",
            "elastic: false for pools on the fabric",
        )
    if pool.capacity.kind == "capacityBlock":
        yield SpecError(
            "elastic",
            True,
            "the life of a Capacity Block is followed by a node group",
            "elastic: false",
        )
