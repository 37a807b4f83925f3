"""From settings to what is declared: revisions and load profiles, all problems at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from settings import (
    GateSettings,
    ServiceSettings,
    Settings,
    SettingsError,
    profile_path,
    settings_key,
)
from tidegate.gate.profile import Profile, load_profile, override_profile
from tidegate.spec.errors import SpecError
from tidegate.spec.release import load_release
from tidegate.spec.revision import Probes, Revision
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
        _declare(name, service, root, platform, findings)
        for name, service in sorted(settings.services.items())
    ]
    declared = [each for each in declarations if each is not None]
    _check_models_differ(declared, findings)
    if findings.sentences:
        raise SettingsError(findings.sentences)
    return declared


class _Findings:
    """Collects what is wrong, each with file and key, so that all of it is reported at once."""

    def __init__(self, stack_file: str) -> None:
        self._stack_file = stack_file
        self.sentences: list[str] = []

    def add(self, key: Sequence[str], text: str) -> None:
        self.sentences.append(f"{self._stack_file}: {settings_key('services', *key)}: {text}")

    def attempt(
        self, key: Sequence[str], work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """Result of `work`, or None after noting why it cannot be done."""
        try:
            return work(*args, **kwargs)
        except SpecError as error:
            self.add(key, str(error))
            return None


def _declare(
    name: str, service: ServiceSettings, root: Path, platform: str, findings: _Findings
) -> ServiceDeclaration | None:
    probes = service.probes
    live = findings.attempt(
        (name, "release"), _revision, root, name, service.release, probes, platform
    )
    standby = None
    if service.standby is not None:
        standby = findings.attempt(
            (name, "standby"), _revision, root, name, service.standby, probes, platform
        )
        if service.standby == service.release:
            findings.add(
                (name, "standby"),
                f"'{service.standby}' cannot work: it is the release that takes the traffic. "
                "Instead: write another release, or remove the key.",
            )
    profile = findings.attempt((name, "gate"), _profile, root, service.gate)
    findings.attempt(
        (name,), check_plan, service.switch, service.drain_seconds, service.max_stream_seconds
    )
    if live is None or profile is None:
        return None
    return ServiceDeclaration(
        name=name, settings=service, live=live, standby=standby, profile=profile
    )


def _check_models_differ(declared: Sequence[ServiceDeclaration], findings: _Findings) -> None:
    """HTTP is routed by the model in the path, so a model's name belongs to one service."""
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


def _revision(root: Path, service: str, text: str, probes: Probes, platform: str) -> Revision:
    name, separator, release = text.partition("@")
    if not separator or name != service or not release:
        raise SpecError(
            "release", text, f"it is not of the form {service}@<release>", f"{service}@1"
        )
    revision = Revision(
        platform=platform,
        release=load_release(root / "serving", service, release),
        probes=probes,
    )
    _ = revision.id  # raises when the name is too long
    return revision


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
