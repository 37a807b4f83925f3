"""The Pulumi program: settings → platform → services → outputs."""

from pathlib import Path

import pulumi

from declarations import ServiceDeclaration, declare
from kubernetes_declarations import kubeconfig_path
from kubernetes_settings import KubernetesSettings
from settings import LocalSettings, Settings, SettingsError, load_settings
from tidegate.kubernetes import PLATFORM as KUBERNETES
from tidegate.local import PLATFORM as LOCAL
from tidegate.local.platform import LocalPlatform, LocalPlatformArgs
from tidegate.serving import InferenceService, InferenceServiceArgs, Platform

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    stack = pulumi.get_stack()
    stack_file = f"stacks/Pulumi.{stack}.yaml"
    try:
        settings = load_settings(pulumi.runtime.get_config_env(), stack_file)
        name = LOCAL if settings.platform.local is not None else KUBERNETES
        declarations = declare(settings, ROOT, name, stack_file)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error
    platform = make_platform(settings, declarations, stack, stack_file)
    pulumi.export("services", {each.name: service_outputs(each, platform) for each in declarations})


def make_platform(
    settings: Settings, declarations: list[ServiceDeclaration], stack: str, stack_file: str
) -> Platform:
    """The platform that the settings name, and its addresses as outputs of the stack."""
    if settings.platform.kubernetes is not None:
        return kubernetes_platform(settings.platform.kubernetes, stack, stack_file)
    local = settings.platform.local or LocalSettings()
    platform = local_platform(local, declarations, stack, stack_file)
    pulumi.export("gateway", platform.address.apply(lambda address: f"http://{address}"))
    pulumi.export("grpc", platform.address)
    return platform


def kubernetes_platform(cluster: KubernetesSettings, stack: str, stack_file: str) -> Platform:
    # Loaded for clusters only: the SDK's import takes its time.
    from tidegate.kubernetes.platform import KubernetesPlatform, KubernetesPlatformArgs

    kubeconfig = kubeconfig_path(cluster, ROOT)
    platform = KubernetesPlatform(
        "kubernetes",
        KubernetesPlatformArgs(
            environment=stack,
            stack_file=stack_file,
            kubeconfig=str(kubeconfig) if kubeconfig is not None else None,
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
        ),
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
