"""The Pulumi program: settings → platform → services → outputs."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from cluster_stack import cluster_of_another_stack
from declarations import ServiceDeclaration, declare
from gpu_cluster import make_gpu_cluster
from kubernetes_declarations import kubeconfig_path
from kubernetes_settings import KubernetesSettings
from settings import LocalSettings, Settings, SettingsError, load_settings
from state_bucket import make_state_bucket
from tidegate.kubernetes import PLATFORM as KUBERNETES
from tidegate.kubernetes.cluster_outputs import ClusterOutputs
from tidegate.local import PLATFORM as LOCAL
from tidegate.local.platform import LocalPlatform, LocalPlatformArgs
from tidegate.serving import InferenceService, InferenceServiceArgs, Platform

if TYPE_CHECKING:
    from gpu_cluster import GpuCluster

ROOT = Path(__file__).resolve().parent.parent
OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""Python's own 700 took nearly half of this program's processor time at 400 services, and kept its
memory no smaller."""


# Awaited, its folder is no longer on Python's path: modules beside it are imported above.
async def main() -> None:
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    stack = pulumi.get_stack()
    stack_file = f"stacks/Pulumi.{stack}.yaml"
    try:
        settings = load_settings(pulumi.runtime.get_config_env(), stack_file)
        under = await cluster_of_another_stack(settings, stack_file)
        if under is not None:
            settings = settings.on_pools(under.pools)
        name = LOCAL if settings.kubernetes is None else KUBERNETES
        declarations = declare(settings, ROOT, name, stack_file)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error
    if settings.state is not None:
        make_state_bucket(settings.state)
    made = make_cluster(settings)
    if made is not None:
        under = ClusterOutputs.of(made)
        for output, value in under.exported().items():
            pulumi.export(output, value)
    if settings.platform is None:
        return
    # Nodes and what runs on each of them come before services.
    opts = pulumi.ResourceOptions(depends_on=[made]) if made is not None else None
    platform = make_platform(settings, under, declarations, stack, stack_file, opts)
    pulumi.export("services", {each.name: service_outputs(each, platform) for each in declarations})


def make_cluster(settings: Settings) -> "GpuCluster | None":
    """The cluster that the stack makes itself, if any."""
    if settings.cluster is None:
        return None
    return make_gpu_cluster(settings.cluster, settings.workloads)


def make_platform(
    settings: Settings,
    under: ClusterOutputs | None,
    declarations: list[ServiceDeclaration],
    stack: str,
    stack_file: str,
    opts: pulumi.ResourceOptions | None,
) -> Platform:
    """The platform that the settings name, and its addresses as outputs of the stack."""
    if settings.kubernetes is not None:
        return kubernetes_platform(settings.kubernetes, under, stack, stack_file, opts)
    local = (settings.platform and settings.platform.local) or LocalSettings()
    platform = local_platform(local, declarations, stack, stack_file)
    pulumi.export("gateway", platform.address.apply(lambda address: f"http://{address}"))
    pulumi.export("grpc", platform.address)
    return platform


def kubernetes_platform(
    cluster: KubernetesSettings,
    under: ClusterOutputs | None,
    stack: str,
    stack_file: str,
    opts: pulumi.ResourceOptions | None,
) -> Platform:
    """`under`: the cluster that this stack or another one has made; without, one that is there."""
    # Loaded for clusters only: the SDK's import takes its time.
    from tidegate.kubernetes.platform import KubernetesPlatform, KubernetesPlatformArgs

    path = kubeconfig_path(cluster, ROOT)
    platform = KubernetesPlatform(
        "kubernetes",
        KubernetesPlatformArgs(
            environment=stack,
            stack_file=stack_file,
            cluster=under,
            kubeconfig=str(path) if path is not None else None,
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
        opts,
    )
    pulumi.export("namespace", platform.namespace)
    pulumi.export("gateway", platform.gateway)
    return platform


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


pulumi.run(main)
