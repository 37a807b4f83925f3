"""The Pulumi program: settings → platform → services → outputs."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from declarations import ServiceDeclaration, declare
from kubernetes_declarations import kubeconfig_path
from kubernetes_settings import KubernetesSettings
from settings import LocalSettings, Settings, SettingsError, load_settings
from tidegate.kubernetes import PLATFORM as KUBERNETES
from tidegate.local import PLATFORM as LOCAL
from tidegate.local.platform import LocalPlatform, LocalPlatformArgs
from tidegate.serving import InferenceService, InferenceServiceArgs, Platform

if TYPE_CHECKING:
    from gpu_cluster import GpuCluster

ROOT = Path(__file__).resolve().parent.parent
OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""Python's own 700 took nearly half of this program's processor time at 400 services, and kept its
memory no smaller."""


def main() -> None:
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    stack = pulumi.get_stack()
    stack_file = f"stacks/Pulumi.{stack}.yaml"
    try:
        settings = load_settings(pulumi.runtime.get_config_env(), stack_file)
        name = LOCAL if settings.kubernetes is None else KUBERNETES
        declarations = declare(settings, ROOT, name, stack_file)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error
    cluster = make_cluster(settings)
    if settings.platform is None:
        return
    platform = make_platform(settings, cluster, declarations, stack, stack_file)
    pulumi.export("services", {each.name: service_outputs(each, platform) for each in declarations})


def make_cluster(settings: Settings) -> "GpuCluster | None":
    """The cluster that the stack makes itself, if any, and what others need of it as outputs."""
    if settings.cluster is None:
        return None
    # Loaded for such stacks only: the clouds' SDKs are extras of the library.
    from gpu_cluster import export_gpu_cluster, make_gpu_cluster

    cluster = make_gpu_cluster(settings.cluster, settings.workloads)
    export_gpu_cluster(cluster)
    return cluster


def make_platform(
    settings: Settings,
    cluster: "GpuCluster | None",
    declarations: list[ServiceDeclaration],
    stack: str,
    stack_file: str,
) -> Platform:
    """The platform that the settings name, and its addresses as outputs of the stack."""
    if settings.kubernetes is not None:
        return kubernetes_platform(settings.kubernetes, cluster, stack, stack_file)
    local = (settings.platform and settings.platform.local) or LocalSettings()
    platform = local_platform(local, declarations, stack, stack_file)
    pulumi.export("gateway", platform.address.apply(lambda address: f"http://{address}"))
    pulumi.export("grpc", platform.address)
    return platform


def kubernetes_platform(
    cluster: KubernetesSettings, made: "GpuCluster | None", stack: str, stack_file: str
) -> Platform:
    """On the cluster that the stack has made, on another stack's, or on one that is there."""
    # Loaded for clusters only: the SDK's import takes its time.
    from tidegate.kubernetes.platform import KubernetesPlatform, KubernetesPlatformArgs

    platform = KubernetesPlatform(
        "kubernetes",
        KubernetesPlatformArgs(
            environment=stack,
            stack_file=stack_file,
            kubeconfig=kubeconfig_of(cluster, made),
            context=cluster.context,
            namespace=cluster.namespace,
            create_namespace=cluster.create_namespace,
            runner_image=cluster.runner_image,
            evidence=cluster.evidence,
            pools=cluster.accelerator_pools(),
            gateway=cluster.gateway.gateway(),
            priority_class=cluster.priority_class,
            monitoring_namespace=cluster.monitoring_namespace,
            scheduling_seconds=cluster.scheduling_seconds,
            gate_lease_namespace=cluster.gate_lease_namespace,
            evidence_endpoint=cluster.evidence_endpoint,
            image_pull_secrets=cluster.image_pull_secrets,
            runner=cluster.runner,
            network=cluster.network,
        ),
        # Nodes and what runs on each of them come first.
        pulumi.ResourceOptions(depends_on=[made]) if made is not None else None,
    )
    pulumi.export("namespace", platform.namespace)
    pulumi.export("gateway", platform.gateway)
    return platform


def kubeconfig_of(
    cluster: KubernetesSettings, made: "GpuCluster | None"
) -> pulumi.Input[str] | None:
    if made is not None:
        return made.kubeconfig
    if cluster.cluster_stack is not None:
        return pulumi.StackReference(cluster.cluster_stack).require_output("kubeconfig")
    path = kubeconfig_path(cluster, ROOT)
    return str(path) if path is not None else None


def local_platform(
    local: LocalSettings, declarations: list[ServiceDeclaration], stack: str, stack_file: str
) -> LocalPlatform:
    gateway, evidence = local.gateway, local.evidence
    if evidence is not None and "://" not in evidence:
        evidence = str(ROOT / evidence)
    revisions = [
        revision.id
        for each in declarations
        for revision in (each.live, each.standby)
        if revision is not None
    ]
    return LocalPlatform(
        "local",
        LocalPlatformArgs(
            state_folder=ROOT / ".tidegate" / stack,
            environment=stack,
            stack_file=stack_file,
            revisions=revisions,
            services=[each.name for each in declarations],
            evidence=evidence,
            port=gateway.port,
            admin_port=gateway.admin_port,
        ),
    )


def service_outputs(
    declaration: ServiceDeclaration, platform: Platform
) -> dict[str, pulumi.Input[str]]:
    settings = declaration.settings
    on_cluster = settings.kubernetes
    service = InferenceService(
        declaration.name,
        InferenceServiceArgs(
            platform=platform,
            serving_root=ROOT / "serving",
            live=declaration.live,
            standby=declaration.standby,
            standby_mode=settings.standby_mode,
            make_room=settings.make_room,
            profile=declaration.profile,
            switch=settings.switch,
            affinity=settings.affinity,
            retries=settings.retries,
            request_timeout_seconds=settings.request_timeout_seconds,
            max_stream_seconds=settings.max_stream_seconds,
            drain_seconds=settings.drain_seconds,
            retry=settings.retry,
            hostnames=on_cluster.hostnames if on_cluster is not None else (),
            replicas=on_cluster.replica_counts() if on_cluster is not None else None,
        ),
    )
    return {
        "live": service.live_revision,
        "standby": declaration.standby.id if declaration.standby is not None else "",
        "gate": service.gate_summary,
        "evidence": service.evidence,
        "report": service.report,
    }


main()
