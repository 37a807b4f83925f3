"""From settings to what is declared: revisions and load profiles, all problems at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from kubernetes_declarations import (
    Serving,
    check_kubeconfig,
    hostname_findings,
    serving_of,
)
from settings import (
    GateSettings,
    ServiceSettings,
    Settings,
    SettingsError,
    profile_path,
)
from settings_model import settings_key
from tidegate.gate.profile import Profile, load_profile, override_profile
from tidegate.spec.errors import SpecError
from tidegate.spec.release import Release, load_release
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import (
    ExistingServing,
    KubernetesServing,
    check_probe_budget,
)
from tidegate.spec.standby import check_standby
from tidegate.traffic.gateway_api.limits import check_routes
from tidegate.traffic.plan import check_plan

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ServiceDeclaration:
    """One service with its files read and checked."""

    name: str
    settings: ServiceSettings
    live: Revision
    standby: Revision | None
    profile: Profile


def declare(
    settings: Settings, root: Path, platform: str, stack_file: str
) -> list[ServiceDeclaration]:
    """Read releases and profiles of all services. Raises SettingsError with every finding."""
    findings = _Findings(stack_file)
    declarations = [
        _Declaring(name, service, root, platform, settings, findings).declare()
        for name, service in sorted(settings.services.items())
    ]
    declared = [each for each in declarations if each is not None]
    if settings.kubernetes is None:
        _check_models_differ(declared, findings)
    _check_cluster(settings, root, findings)
    if findings.sentences:
        raise SettingsError(findings.sentences)
    return declared


class _Findings:
    """Collects what is wrong, each with file and key, so that all of it is reported at once."""

    def __init__(self, stack_file: str) -> None:
        self._stack_file = stack_file
        self.sentences: list[str] = []

    def add(self, key: Sequence[str], text: str, part: str = "services") -> None:
        sentence = f"{self._stack_file}: {settings_key(part, *key)}: {text}"
        # A release and its standby may be wrong in the same way.
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    def attempt(
        self, key: Sequence[str], work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """Result of `work`, or None after noting why it cannot be done."""
        try:
            return work(*args, **kwargs)
        except SpecError as error:
            self.add(key, str(error))
            return None


@dataclass(frozen=True)
class _Declaring:
    """One service on its way from settings to a declaration."""

    name: str
    service: ServiceSettings
    root: Path
    platform: str
    settings: Settings
    findings: _Findings

    def declare(self) -> ServiceDeclaration | None:
        name, service, findings = self.name, self.service, self.findings
        live = self._revision("release", service.release)
        standby = None
        if service.standby is not None:
            standby = self._revision("standby", service.standby)
            if service.standby == service.release:
                findings.add(
                    (name, "standby"),
                    f"'{service.standby}' cannot work: it is the release that takes the traffic. "
                    "Instead: write another release, or remove the key.",
                )
        profile = findings.attempt((name, "gate"), _profile, self.root, service.gate)
        findings.attempt(
            (name,), check_plan, service.switch, service.drain_seconds, service.max_stream_seconds
        )
        if live is None or profile is None:
            return None
        revisions = [live, standby] if standby is not None else [live]
        findings.attempt((name,), check_standby, service.standby_mode, service.make_room, revisions)
        if service.kubernetes is not None:
            names, key = service.kubernetes.hostnames, (name, "kubernetes")
            findings.attempt(key, check_routes, live, standby, names, service.affinity)
        return ServiceDeclaration(
            name=name, settings=service, live=live, standby=standby, profile=profile
        )

    def _revision(self, key: str, text: str) -> Revision | None:
        attempt = self.findings.attempt
        release = attempt((self.name, key), _release, self.root, self.name, text)
        if release is None:
            return None
        serving = None
        if self.settings.kubernetes is not None:
            serving = self._serving(release)
            if serving is None:
                return None
        return attempt((self.name, key), self._named, release, serving)

    def _serving(self, release: Release) -> Serving | None:
        cluster, service = self.settings.kubernetes, self.service.kubernetes
        if cluster is None or service is None:  # the latter is reported once, for the service
            return None
        key = (self.name, "kubernetes")
        serving = self.findings.attempt(key, serving_of, cluster, service, release)
        if isinstance(serving, KubernetesServing):
            budget = self.service.probes.ready_timeout_seconds
            self.findings.attempt((self.name,), check_probe_budget, serving, budget)
        return serving

    def _named(self, release: Release, serving: Serving | None) -> Revision:
        revision = Revision(
            platform=self.platform,
            release=release,
            probes=self.service.probes,
            kubernetes=serving if isinstance(serving, KubernetesServing) else None,
            existing=serving if isinstance(serving, ExistingServing) else None,
        )
        _ = revision.id  # raises when it is no name for objects
        return revision


def _check_cluster(settings: Settings, root: Path, findings: _Findings) -> None:
    """What is about the cluster, or about all services on it."""
    cluster = settings.kubernetes
    on_cluster = {}
    for name, service in sorted(settings.services.items()):
        if service.kubernetes is not None:
            on_cluster[name] = service.kubernetes
        if (service.kubernetes is None) == (cluster is not None):
            findings.add(
                (name, "kubernetes"),
                "is missing. Instead: write pool and model, or `existing`."
                if cluster is not None
                else "cannot work: the platform is local. Instead: remove it.",
            )
    if cluster is None:
        return
    try:
        check_kubeconfig(cluster, root)
    except SpecError as error:
        findings.add(("kubernetes",), str(error), "platform")
    for key, sentence in hostname_findings(on_cluster):
        findings.add(key, sentence)


def _check_models_differ(declared: Sequence[ServiceDeclaration], findings: _Findings) -> None:
    """On one machine HTTP is routed by the model in the path, so its name belongs to one service.

    On a cluster host names tell services apart.
    """
    owners: dict[str, str] = {}
    for each in declared:
        for model in each.live.release.models:
            owner = owners.setdefault(model.name, each.name)
            if owner != each.name:
                findings.add(
                    (each.name, "release"),
                    f"'{each.settings.release}' cannot work: its model '{model.name}' is also "
                    f"served by '{owner}', and the path names the model alone. "
                    "Instead: give the model another name in a new release.",
                )


def _release(root: Path, service: str, text: str) -> Release:
    name, separator, release = text.partition("@")
    if not separator or name != service or not release:
        raise SpecError(
            "release", text, f"it is not of the form {service}@<release>", f"{service}@1"
        )
    return load_release(root / "serving", service, release)


def _profile(root: Path, gate: GateSettings) -> Profile:
    path = profile_path(root, gate.profile)
    if not path.exists():
        known = sorted(each.stem for each in path.parent.glob("*.yaml"))
        raise SpecError(
            "profile", gate.profile, f"{path.parent} has no such file", " or ".join(known)
        )
    return override_profile(
        load_profile(path),
        slos=gate.slos,
        rate_per_second=gate.rate_per_second,
        max_error_rate=gate.max_error_rate,
    )
