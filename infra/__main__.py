"""The Pulumi program: settings → platform → services → outputs."""

from pathlib import Path

import pulumi

from declarations import ServiceDeclaration, declare
from settings import Settings, SettingsError, load_settings
from tidegate.local import PLATFORM as LOCAL
from tidegate.local.platform import LocalPlatform, LocalPlatformArgs
from tidegate.serving import InferenceService, InferenceServiceArgs, Platform

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    stack = pulumi.get_stack()
    stack_file = f"stacks/Pulumi.{stack}.yaml"
    try:
        settings = load_settings(pulumi.runtime.get_config_env(), stack_file)
        declarations = declare(settings, ROOT, LOCAL, stack_file)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error
    platform = local_platform(settings, declarations, stack, stack_file)
    pulumi.export("gateway", platform.address.apply(lambda address: f"http://{address}"))
    pulumi.export("grpc", platform.address)
    pulumi.export("services", {each.name: service_outputs(each, platform) for each in declarations})


def local_platform(
    settings: Settings, declarations: list[ServiceDeclaration], stack: str, stack_file: str
) -> LocalPlatform:
    gateway, evidence = settings.platform.local.gateway, settings.platform.local.evidence
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
