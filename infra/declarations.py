"""From settings to what is declared: revisions and load profiles, all problems at once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from settings import ServiceSettings, Settings, SettingsError, profile_path, settings_key

from tidegate.gate.profile import Profile, load_profile, override_profile
from tidegate.spec.errors import SpecError
from tidegate.spec.release import load_release
from tidegate.spec.revision import Revision

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
    findings: list[str] = []

    def attempt(work: Callable[[], T], *key: str) -> T | None:
        try:
            return work()
        except SpecError as error:
            findings.append(f"{stack_file}: {settings_key('services', *key)}: {error}")
            return None

    declarations = []
    for name, service in sorted(settings.services.items()):
        live = attempt(
            lambda: _revision(root, name, service.release, service, platform), name, "release"
        )
        standby = None
        if service.standby is not None:
            text = service.standby
            standby = attempt(
                lambda: _revision(root, name, text, service, platform), name, "standby"
            )
            if service.standby == service.release:
                findings.append(
                    f"{stack_file}: {settings_key('services', name, 'standby')}: "
                    f"'{service.standby}' cannot work: it is the release that takes the traffic. "
                    "Instead: write another release, or remove the key."
                )
        profile = attempt(lambda: _profile(root, service), name, "gate")
        if live is not None and profile is not None:
            declarations.append(
                ServiceDeclaration(
                    name=name, settings=service, live=live, standby=standby, profile=profile
                )
            )
    if findings:
        raise SettingsError(findings)
    return declarations


def _revision(
    root: Path, service: str, text: str, settings: ServiceSettings, platform: str
) -> Revision:
    name, separator, release = text.partition("@")
    if not separator or name != service or not release:
        raise SpecError(
            "release", text, f"it is not of the form {service}@<release>", f"{service}@1"
        )
    revision = Revision(
        platform=platform,
        release=load_release(root / "serving", service, release),
        probes=settings.probes,
    )
    _ = revision.id  # raises when the name is too long
    return revision


def _profile(root: Path, service: ServiceSettings) -> Profile:
    gate = service.gate
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
