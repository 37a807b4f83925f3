"""The stack file's settings: read once, checked once, reported with file, key and mend."""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, get_origin

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from cluster_pools import pools_of, with_pools
from kubernetes_settings import KubernetesSettings, ServiceOnKubernetes
from plan_findings import plan_findings
from settings_model import NAMESPACE, SettingsModel, settings_key
from tidegate.gate.evidence_store import check_address
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.cluster_plan import ClusterPlan
from tidegate.spec.errors import SpecError
from tidegate.spec.revision import Probes
from tidegate.spec.shape_errors import shape_findings
from tidegate.spec.standby import StandbyMode
from tidegate.spec.state_plan import StatePlan
from tidegate.spec.traffic import Affinity, SwitchStrategy
from tidegate.spec.workload_identity import WorkloadIdentity


class SettingsError(Exception):
    """Every finding of one stack file, one sentence a line."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class GatewaySettings(SettingsModel):
    """Ports on 127.0.0.1; those left out are chosen and kept."""

    port: int | None = Field(default=None, ge=1, le=65535)
    admin_port: int | None = Field(default=None, ge=1, le=65535)

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.port is not None and self.port == self.admin_port:
            raise ValueError("write two different ports")
        return self


class LocalSettings(SettingsModel):
    """The embedded platform on this machine.

    `evidence`: where verdicts and attempts are kept, a folder (relative to the project) or a
    bucket's URL; without, the stack's own folder.
    """

    gateway: GatewaySettings = GatewaySettings()
    evidence: Annotated[str, Field(min_length=1), AfterValidator(check_address)] | None = None


class PlatformSettings(SettingsModel):
    """Where services run: one of both."""

    local: LocalSettings | None = None
    kubernetes: KubernetesSettings | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.local is None) == (self.kubernetes is None):
            raise ValueError("write either `local: {}` or `kubernetes` with its keys")
        return self


class GateSettings(SettingsModel):
    """A named profile of loadtests/profiles and what this service changes about it.

    `slos` maps quantiles to milliseconds.
    """

    profile: str = "quick"
    slos: dict[str, float] | None = None
    max_error_rate: float | None = None
    rate_per_second: float | None = None


class ServiceSettings(SettingsModel):
    """One inference service. Releases are written `<service>@<release>`.

    `standby_mode`, `make_room`: see `tidegate.spec.standby`.
    """

    release: str
    standby: str | None = None
    standby_mode: StandbyMode = "warm"
    make_room: bool = False
    retry: str | None = Field(default=None, min_length=3)
    gate: GateSettings = GateSettings()
    probes: Probes = Probes()
    switch: SwitchStrategy = SwitchStrategy()
    affinity: Affinity | None = None
    retries: int = Field(default=0, ge=0, le=5)
    request_timeout_seconds: float = Field(default=30, gt=0)
    max_stream_seconds: float | None = Field(default=None, gt=0)
    drain_seconds: float = Field(default=30, ge=0)
    kubernetes: ServiceOnKubernetes | None = None


class Settings(SettingsModel):
    """Everything a stack file says.

    `cluster`: one with GPUs that the stack makes itself, see `tidegate.spec.cluster_plan`; services
    of the same stack run on it, and with no platform it is all that the stack makes. `workloads`
    may use its bucket. `state`: the bucket for the state of all other stacks, which stands alone.
    """

    platform: PlatformSettings | None = None
    services: dict[str, ServiceSettings] = Field(default_factory=dict)
    cluster: ClusterPlan | None = None
    workloads: list[WorkloadIdentity] = Field(default_factory=list)
    state: StatePlan | None = None

    @property
    def kubernetes(self) -> KubernetesSettings | None:
        """The platform, when it is a cluster."""
        return self.platform.kubernetes if self.platform is not None else None

    def on_pools(self, pools: Sequence[AcceleratorPool]) -> "Settings":
        """With pools of the cluster under the platform, beside those that the file names."""
        if self.kubernetes is None:
            return self
        platform = PlatformSettings(kubernetes=with_pools(self.kubernetes, pools))
        return self.model_copy(update={"platform": platform})


def load_settings(configuration: Mapping[str, str], stack_file: str) -> Settings:
    """Build the settings from the engine's configuration (full key → text or JSON).

    Raises SettingsError with a sentence for each finding: file, key, why, what to write.
    """
    own = {
        key.removeprefix(f"{NAMESPACE}:"): _parse(value)
        for key, value in configuration.items()
        if key.startswith(f"{NAMESPACE}:")
    }
    findings = [
        f"{stack_file}: {settings_key(key)}: is missing. Instead: add it." for key in _missing(own)
    ]
    try:
        settings = Settings.model_validate(own)
    except ValidationError as error:
        told = error.errors(include_url=False)
        shapes = shape_findings(error, "", own, Settings)
        findings += [
            f"{stack_file}: {settings_key(str(found))}"
            if each["loc"][0] == "cluster"
            else _sentence(stack_file, each)
            for each, found in zip(told, shapes, strict=True)
        ]
        raise SettingsError(findings) from error
    findings += [f"{stack_file}: {each}" for each in plan_findings(settings)]
    if findings:
        raise SettingsError(findings)
    return settings if settings.cluster is None else settings.on_pools(pools_of(settings.cluster))


def _missing(own: Mapping[str, Any]) -> list[str]:
    """A stack makes a cluster or a bucket for state, or has services and says where they run."""
    if "state" in own:
        return []
    needed = ("platform",) if "cluster" in own else ("platform", "services")
    alone = "cluster" in own and not own.get("services")
    return [] if alone else [key for key in needed if key not in own]


def profile_path(root: Path, name: str) -> Path:
    return root / "loadtests" / "profiles" / f"{name}.yaml"


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _sentence(stack_file: str, error: Any) -> str:
    location = [str(part) for part in error["loc"]]
    where = f"{stack_file}: {settings_key(*location)}"
    if error["type"] == "missing":
        return f"{where}: is missing. Instead: add it."
    if error["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"write '{near[0]}'" if near else f"remove it; known here: {', '.join(known)}"
        return f"{where}: is an unknown key. Instead: {hint}."
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SpecError):  # its value leaves out what must not be repeated
        return f"{where}: {cause.value!r} cannot work: {cause.why}. Instead: {cause.instead}."
    message = error["msg"].removeprefix("Value error, ")
    return f"{where}: {error['input']!r} cannot work. Instead: {message[:1].lower()}{message[1:]}."


def _known_keys(location: list[str]) -> list[str]:
    """Keys that the model at this place of the file knows."""
    model: Any = Settings
    parts = iter(location)
    for part in parts:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
        field = next(
            (info for name, info in model.model_fields.items() if part in {name, info.alias}), None
        )
        if field is None:
            return []
        annotation = field.annotation
        arguments = [each for each in getattr(annotation, "__args__", ()) if isinstance(each, type)]
        models = [each for each in arguments if issubclass(each, BaseModel)]
        model = models[0] if models else annotation
        if get_origin(annotation) is dict:
            next(parts, None)  # the name of a service
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return sorted(info.alias or name for name, info in model.model_fields.items())
