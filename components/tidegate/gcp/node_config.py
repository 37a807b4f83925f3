"""What each node of a pool is: machine, GPUs, disks, identity, labels and taints."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import container

from tidegate.gcp.project import Project
from tidegate.spec.resolved_pool import GkePlan, ResolvedPool

RESERVATION_KEY = "compute.googleapis.com/reservation-name"
MANAGED_NETWORKS_LABEL = "cloud.google.com/gke-networking-dra-driver"
QUEUED_LABEL = "cloud.google.com/gke-queued"
EFFECTS = {
    "NoSchedule": "NO_SCHEDULE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
}
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
"""All of them: what a node may do is decided by its account's roles."""


@dataclass(frozen=True, kw_only=True)
class NodeSurroundings:
    """What all node pools of a cluster share. `cluster` is its name as an output."""

    cluster: pulumi.Input[str]
    project: Project
    region: str
    account: pulumi.Input[str]
    disk_key: pulumi.Input[str]
    labels: Mapping[str, str]


def as_every_node(
    config: container.NodePoolNodeConfigArgs, around: NodeSurroundings, *, secure_boot: bool
) -> container.NodePoolNodeConfigArgs:
    """The same with identity, encryption and boot of any node of the cluster."""
    config.service_account = around.account
    config.oauth_scopes = list(SCOPES)
    config.resource_labels = dict(around.labels)
    config.boot_disk_kms_key = around.disk_key
    config.metadata = {"disable-legacy-endpoints": "true"}
    config.gvnic = container.NodePoolNodeConfigGvnicArgs(enabled=True)
    config.shielded_instance_config = container.NodePoolNodeConfigShieldedInstanceConfigArgs(
        enable_secure_boot=secure_boot, enable_integrity_monitoring=True
    )
    config.workload_metadata_config = container.NodePoolNodeConfigWorkloadMetadataConfigArgs(
        mode="GKE_METADATA"
    )
    config.kubelet_config = container.NodePoolNodeConfigKubeletConfigArgs(
        insecure_kubelet_readonly_port_enabled="FALSE"
    )
    return config


def gpu_node_config(
    around: NodeSurroundings, resolved: ResolvedPool, plan: GkePlan
) -> container.NodePoolNodeConfigArgs:
    managed = is_managed(resolved)
    labels = dict(resolved.labels)
    if managed:
        labels[MANAGED_NETWORKS_LABEL] = "true"
    if plan.queued:
        labels[QUEUED_LABEL] = "true"
    # Only Google's own image has drivers that it signed.
    signed = plan.image_type == "COS_CONTAINERD" and plan.driver_version != "INSTALLATION_DISABLED"
    local = resolved.local_disks
    config = container.NodePoolNodeConfigArgs(
        machine_type=resolved.machine.name,
        disk_size_gb=resolved.pool.disks.boot_gib,
        disk_type=plan.boot_disk,
        image_type=plan.image_type,
        labels=labels,
        taints=[
            container.NodePoolNodeConfigTaintArgs(
                key=taint.key, value=taint.value, effect=EFFECTS[taint.effect]
            )
            for taint in resolved.taints
        ],
        # The pool's own taints keep other pods away; one more would keep away those with GPUs too.
        taint_config=container.NodePoolNodeConfigTaintConfigArgs(
            architecture_taint_behavior="NONE"
        ),
        guest_accelerators=[_accelerator(resolved, plan)],
        gpudirect_strategy="RDMA" if managed else None,
        spot=plan.spot,
        flex_start=plan.flex_start,
        max_run_duration=f"{plan.max_run_seconds}s" if plan.max_run_seconds else None,
        reservation_affinity=container.NodePoolNodeConfigReservationAffinityArgs(
            consume_reservation_type=plan.reservation_affinity,
            key=RESERVATION_KEY if plan.reservation_values else None,
            values=list(plan.reservation_values) or None,
        ),
        ephemeral_storage_local_ssd_config=(
            container.NodePoolNodeConfigEphemeralStorageLocalSsdConfigArgs(
                local_ssd_count=plan.local_ssds
            )
            if local == "ephemeral" and plan.local_ssds
            else None
        ),
        local_nvme_ssd_block_config=(
            container.NodePoolNodeConfigLocalNvmeSsdBlockConfigArgs(local_ssd_count=plan.local_ssds)
            if local == "block" and plan.local_ssds
            else None
        ),
    )
    return as_every_node(config, around, secure_boot=signed)


def _accelerator(
    resolved: ResolvedPool, plan: GkePlan
) -> container.NodePoolNodeConfigGuestAcceleratorArgs:
    shared = plan.sharing_strategy is not None and plan.max_shared_clients is not None
    return container.NodePoolNodeConfigGuestAcceleratorArgs(
        type=resolved.machine.accelerator_type or "",
        count=resolved.machine.gpu.count,
        gpu_partition_size=plan.gpu_partition_size,
        gpu_driver_installation_config=container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
            gpu_driver_version=plan.driver_version
        ),
        gpu_sharing_config=(
            container.NodePoolNodeConfigGuestAcceleratorGpuSharingConfigArgs(
                gpu_sharing_strategy=plan.sharing_strategy or "",
                max_shared_clients_per_gpu=plan.max_shared_clients or 0,
            )
            if shared
            else None
        ),
    )


def is_managed(resolved: ResolvedPool) -> bool:
    fabric = resolved.pool.fabric
    return fabric.kind == "gpuDirect" and fabric.mode == "managed"
