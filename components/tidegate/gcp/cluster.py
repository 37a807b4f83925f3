"""The GKE cluster: private, with Dataplane V2, encrypted with own keys."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import container

from tidegate.gcp.kubeconfig import kubeconfig
from tidegate.gcp.naming import name_for
from tidegate.gcp.network import PODS_RANGE, SERVICES_RANGE
from tidegate.gcp.project import Project
from tidegate.gcp.protection import guarded
from tidegate.spec.cluster_plan import ClusterPlan

CLUSTER_NAME_LIMIT = 40

METRICS = (
    "SYSTEM_COMPONENTS",
    "STORAGE",
    "POD",
    "DEPLOYMENT",
    "STATEFULSET",
    "DAEMONSET",
    "HPA",
    "KUBELET",
    "CADVISOR",
    "DCGM",
)
LOGS = (
    "SYSTEM_COMPONENTS",
    "WORKLOADS",
    "APISERVER",
    "CONTROLLER_MANAGER",
    "SCHEDULER",
)
NO_UPGRADES_SINCE = "2026-01-01T00:00:00Z"
MAINTENANCE_WEEKEND = {
    "start_time": "2026-01-03T02:00:00Z",
    "end_time": "2026-01-03T10:00:00Z",
    "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
}
"""GKE wants 48 hours of four or more in every 32 days."""


@dataclass(frozen=True)
class StorageDrivers:
    """Which drivers for volumes GKE installs."""

    lustre: bool = False
    parallelstore: bool = False
    filestore: bool = False
    buckets: bool = False


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """Arguments of a `Cluster`.

    `database_key` and `disk_key` are names of keys of Cloud KMS. `node_account` is the e-mail
    address of the nodes' account.
    """

    plan: ClusterPlan
    project: Project
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    database_key: pulumi.Input[str]
    disk_key: pulumi.Input[str]
    node_account: pulumi.Input[str]
    labels: Mapping[str, str]
    drivers: StorageDrivers = StorageDrivers()


class Cluster(pulumi.ComponentResource):
    """A cluster without nodes; node pools are components of their own.

    `kubeconfig` has no secret: credentials come from gcloud's plugin.
    """

    name: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]

    def __init__(
        self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:Cluster", name, None, opts)
        plan = args.plan
        own = pulumi.ResourceOptions.merge(
            guarded(self, plan.protect),
            pulumi.ResourceOptions(
                # Of the pool that GKE makes and that is removed at once.
                ignore_changes=["nodeConfig", "initialNodeCount"],
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="120m", delete="60m"),
            ),
        )
        cluster = container.Cluster(
            name_for(name, limit=CLUSTER_NAME_LIMIT),
            project=args.project.id,
            location=plan.region,
            node_locations=list(plan.zones),
            description=f"GPU cluster {plan.name}",
            min_master_version=plan.gke_version or plan.kubernetes_version,
            release_channel=container.ClusterReleaseChannelArgs(channel="REGULAR"),
            remove_default_node_pool=True,
            initial_node_count=1,
            node_config=_first_nodes(args),
            deletion_protection=plan.protect,
            resource_labels=dict(args.labels),
            enable_legacy_abac=False,
            enable_shielded_nodes=True,
            networking_mode="VPC_NATIVE",
            network=args.network,
            subnetwork=args.subnetwork,
            datapath_provider="ADVANCED_DATAPATH",
            # Always: it could not be turned on later, for a pool with networks of its own.
            enable_multi_networking=True,
            enable_intranode_visibility=True,
            enable_l4_ilb_subsetting=True,
            ip_allocation_policy=container.ClusterIpAllocationPolicyArgs(
                cluster_secondary_range_name=PODS_RANGE,
                services_secondary_range_name=SERVICES_RANGE,
            ),
            private_cluster_config=_private(plan),
            master_authorized_networks_config=_authorized(plan),
            database_encryption=container.ClusterDatabaseEncryptionArgs(
                state="ENCRYPTED", key_name=args.database_key
            ),
            workload_identity_config=container.ClusterWorkloadIdentityConfigArgs(
                workload_pool=args.project.workload_pool
            ),
            master_auth=container.ClusterMasterAuthArgs(
                client_certificate_config=container.ClusterMasterAuthClientCertificateConfigArgs(
                    issue_client_certificate=False
                )
            ),
            security_posture_config=container.ClusterSecurityPostureConfigArgs(mode="BASIC"),
            cost_management_config=container.ClusterCostManagementConfigArgs(enabled=True),
            logging_config=container.ClusterLoggingConfigArgs(enable_components=list(LOGS)),
            monitoring_config=container.ClusterMonitoringConfigArgs(
                enable_components=list(METRICS),
                managed_prometheus=container.ClusterMonitoringConfigManagedPrometheusArgs(
                    enabled=True
                ),
            ),
            maintenance_policy=_maintenance(),
            addons_config=_addons(args.drivers),
            opts=own,
        )
        self.resource = cluster
        self.name = cluster.name
        self.endpoint = cluster.endpoint
        certificate = cluster.master_auth.cluster_ca_certificate
        self.kubeconfig = pulumi.Output.all(cluster.name, cluster.endpoint, certificate).apply(
            lambda known: kubeconfig(*known)
        )
        self.register_outputs(
            {"name": self.name, "endpoint": self.endpoint, "kubeconfig": self.kubeconfig}
        )


def _private(plan: ClusterPlan) -> container.ClusterPrivateClusterConfigArgs:
    """Private nodes; from outside the control plane is reached by `adminCidrs` alone, if at all."""
    return container.ClusterPrivateClusterConfigArgs(
        enable_private_nodes=True,
        enable_private_endpoint=not plan.admin_cidrs,
        master_ipv4_cidr_block=plan.network.control_plane_cidr,
        master_global_access_config=container.ClusterPrivateClusterConfigMasterGlobalAccessConfigArgs(
            enabled=False
        ),
    )


def _authorized(plan: ClusterPlan) -> container.ClusterMasterAuthorizedNetworksConfigArgs:
    return container.ClusterMasterAuthorizedNetworksConfigArgs(
        gcp_public_cidrs_access_enabled=False,
        cidr_blocks=[
            container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs(
                cidr_block=cidr, display_name=name
            )
            for name, cidr in (
                ("cluster", plan.network.cidr),
                *((f"admin-{index}", cidr) for index, cidr in enumerate(plan.admin_cidrs)),
            )
        ],
    )


def _maintenance() -> container.ClusterMaintenancePolicyArgs:
    """Minor versions and nodes change with `up`, never at night."""
    return container.ClusterMaintenancePolicyArgs(
        recurring_window=container.ClusterMaintenancePolicyRecurringWindowArgs(
            **MAINTENANCE_WEEKEND
        ),
        maintenance_exclusions=[
            container.ClusterMaintenancePolicyMaintenanceExclusionArgs(
                exclusion_name="versions-change-with-up",
                start_time=NO_UPGRADES_SINCE,
                exclusion_options=container.ClusterMaintenancePolicyMaintenanceExclusionExclusionOptionsArgs(
                    scope="NO_MINOR_OR_NODE_UPGRADES",
                    end_time_behavior="UNTIL_END_OF_SUPPORT",
                ),
            )
        ],
    )


def _addons(drivers: StorageDrivers) -> container.ClusterAddonsConfigArgs:
    return container.ClusterAddonsConfigArgs(
        dns_cache_config=container.ClusterAddonsConfigDnsCacheConfigArgs(enabled=True),
        gce_persistent_disk_csi_driver_config=container.ClusterAddonsConfigGcePersistentDiskCsiDriverConfigArgs(
            enabled=True
        ),
        gcs_fuse_csi_driver_config=container.ClusterAddonsConfigGcsFuseCsiDriverConfigArgs(
            enabled=drivers.buckets
        ),
        gcp_filestore_csi_driver_config=container.ClusterAddonsConfigGcpFilestoreCsiDriverConfigArgs(
            enabled=drivers.filestore
        ),
        parallelstore_csi_driver_config=container.ClusterAddonsConfigParallelstoreCsiDriverConfigArgs(
            enabled=drivers.parallelstore
        ),
        lustre_csi_driver_config=container.ClusterAddonsConfigLustreCsiDriverConfigArgs(
            enabled=drivers.lustre,
            # The instances are made with support for GKE, and those listen on the older port.
            enable_legacy_lustre_port=True if drivers.lustre else None,
        ),
    )


def _first_nodes(args: ClusterArgs) -> container.ClusterNodeConfigArgs:
    """Of the pool that is removed: as strict as the others, for organisations that demand it."""
    return container.ClusterNodeConfigArgs(
        service_account=args.node_account,
        boot_disk_kms_key=args.disk_key,
        shielded_instance_config=container.ClusterNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
        workload_metadata_config=container.ClusterNodeConfigWorkloadMetadataConfigArgs(
            mode="GKE_METADATA"
        ),
    )
