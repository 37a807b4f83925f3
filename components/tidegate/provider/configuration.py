"""Configuration of the provider: how it reaches the platform it acts on."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from tidegate.gate.evidence_store import bucket_scheme
from tidegate.provider.handler import Outputs
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.runner_pods import RunnerPods

EVIDENCE = "Where attempts and evidence are kept: an absolute folder, s3://bucket/prefix or "


class EmbeddedConfiguration(Outputs):
    """Connection details of the embedded platform."""

    state_folder: str
    environment: str
    evidence: str | None
    stack_file: str


class KubernetesConfiguration(Outputs):
    """Connection details of a cluster."""

    kubeconfig: str | None = Field(
        default=None,
        repr=False,
        description="Content or path of a kubeconfig; without, what `kubectl` uses.",
    )
    context: str | None = Field(
        default=None, description="Context of the kubeconfig; without, its current one."
    )
    namespace: str = Field(description="Namespace of the services, their gates and switches.")
    gateway: GatewayReference = Field(description="Gateway whose listeners the routes attach to.")
    runner_image: str = Field(description="Image of the Jobs that run gates and switches.")
    environment: str = Field(description="Name under which attempts and evidence are recorded.")
    evidence: str = Field(
        description=EVIDENCE + "gs://bucket/prefix; a folder is one that the Jobs have mounted."
    )
    stack_file: str = Field(description="The stack's settings file, named in error messages.")
    gate_lease_namespace: str | None = Field(
        default=None,
        description="Namespace where gates take turns on a pool; without, that of the services.",
    )
    evidence_endpoint: str | None = Field(
        default=None, description="Where s3:// leads the Jobs; without, to AWS."
    )
    image_pull_secrets: tuple[str, ...] = Field(
        default=(), description="Secrets with which the Jobs' image is pulled."
    )
    runner: RunnerPods = Field(default=RunnerPods(), description="Where the Jobs' pods run.")

    @field_validator("evidence")
    @classmethod
    def _outlives_a_pod(cls, evidence: str) -> str:
        if bucket_scheme(evidence) is None and not evidence.startswith("/"):
            raise ValueError("write s3://bucket/prefix, gs://bucket/prefix or an absolute folder")
        return evidence


class ProviderConfiguration(Outputs):
    """Connection details of either platform: those of the embedded one, or `kubernetes`.

    The engine adds keys of its own (such as `version`), so unknown keys are passed over.
    """

    state_folder: str | None = Field(
        default=None, description="Absolute path of the stack's state folder (embedded platform)."
    )
    environment: str | None = Field(
        default=None, description="Name under which attempts and evidence are recorded."
    )
    evidence: str | None = Field(
        default=None, description=EVIDENCE + "gs://bucket/prefix; without, the state folder."
    )
    stack_file: str | None = Field(
        default=None, description="The stack's settings file, named in error messages."
    )
    kubernetes: KubernetesConfiguration | None = Field(
        default=None, description="A cluster, in place of the embedded platform."
    )

    @model_validator(mode="after")
    def _is_one_platform(self) -> Self:
        embedded = {
            "stateFolder": self.state_folder,
            "environment": self.environment,
            "stackFile": self.stack_file,
        }
        given = [name for name, value in embedded.items() if value is not None]
        if self.kubernetes is not None and given:
            raise ValueError(
                f"kubernetes and {', '.join(given)} exclude each other; inside `kubernetes` "
                "environment, evidence and stackFile have places of their own"
            )
        missing = [name for name in embedded if name not in given]
        if self.kubernetes is None and missing:
            raise ValueError(
                f"{', '.join(missing)} missing; give all of {', '.join(embedded)} for the "
                "embedded platform, or `kubernetes` for a cluster"
            )
        return self

    @property
    def embedded(self) -> EmbeddedConfiguration | None:
        """Those of the embedded platform, None for a cluster."""
        if self.state_folder is None or self.environment is None or self.stack_file is None:
            return None
        return EmbeddedConfiguration(
            state_folder=self.state_folder,
            environment=self.environment,
            evidence=self.evidence,
            stack_file=self.stack_file,
        )
