"""The provider itself, told how to reach what it works on."""

from collections.abc import Sequence
from pathlib import Path

import pulumi

from tidegate.resources.base import plain
from tidegate.spec.runner_pods import RunnerPods
from tidegate.spec.signature import SpecModel


class TidegateProvider(pulumi.ProviderResource):
    """The provider, told how to reach one embedded platform.

    Stacks pass it explicitly: the project and the package share a name, so a default provider
    would receive the project's own settings as its configuration.
    """

    def __init__(
        self,
        name: str,
        *,
        state_folder: Path,
        environment: str,
        stack_file: str,
        evidence: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {
            "stateFolder": str(state_folder),
            "environment": environment,
            "evidence": evidence,
            "stackFile": stack_file,
        }
        super().__init__("tidegate", name, properties, opts)


class TidegateClusterProvider(pulumi.ProviderResource):
    """The provider, told how to reach a cluster, which the first preview may not know yet."""

    def __init__(
        self,
        name: str,
        *,
        kubeconfig: pulumi.Input[str] | None,
        context: str | None,
        namespace: str,
        gateway: SpecModel,
        runner_image: pulumi.Input[str],
        evidence: pulumi.Input[str],
        environment: str,
        stack_file: str,
        gate_lease_namespace: str | None = None,
        evidence_endpoint: str | None = None,
        image_pull_secrets: Sequence[str] = (),
        runner: RunnerPods | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        connection = {
            "kubeconfig": pulumi.Output.secret(kubeconfig) if kubeconfig is not None else None,
            "context": context,
            "namespace": namespace,
            "gateway": plain(gateway),
            "runnerImage": runner_image,
            "evidence": evidence,
            "environment": environment,
            "stackFile": stack_file,
            "gateLeaseNamespace": gate_lease_namespace,
            "evidenceEndpoint": evidence_endpoint,
            "imagePullSecrets": list(image_pull_secrets) or None,
            "runner": (runner and runner.model_dump(by_alias=True, exclude_defaults=True)) or None,
        }
        given = {key: value for key, value in connection.items() if value is not None}
        # The engine wants objects among a provider's inputs as JSON text.
        properties = {"kubernetes": pulumi.Output.json_dumps(given)}
        super().__init__("tidegate", name, properties, opts)
