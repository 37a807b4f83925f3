"""A container's command line and environment, as a kubelet works them out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.harness.images import SEARCH_PATH, Image
from tests.cluster.harness.kubelet.manifest import Manifest, field_at, name_of

REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_.][\w.-]*)\))")
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9}


class ConfigurationMissing(Exception):
    """A ConfigMap, a Secret or a key that the pod needs does not exist."""


@dataclass(frozen=True)
class Sources:
    """Contents of the ConfigMaps and Secrets that a pod names; absent ones are not in it."""

    config_maps: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)

    def content(self, kind: str, name: str, optional: bool) -> Mapping[str, bytes]:
        """Contents of one "configmap" or "secret". Raises ConfigurationMissing."""
        known = self.config_maps if kind == "configmap" else self.secrets
        if name not in known and not optional:
            raise ConfigurationMissing(f'{kind} "{name}" not found')
        return known.get(name, {})


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; unknown names stay, `$$(NAME)` becomes `$(NAME)`."""

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return "$"
        return values.get(found[1], found[0])

    return REFERENCE.sub(value, text)


def command_line(container: Manifest, image: Image, environment: Mapping[str, str]) -> list[str]:
    """`command` replaces the image's entrypoint with its arguments, `args` the arguments."""
    command: Sequence[str] = container.get("command") or image.entrypoint
    arguments: Sequence[str] = container.get("args") or ()
    if not container.get("command") and not container.get("args"):
        arguments = image.arguments
    return [expand(each, environment) for each in (*command, *arguments)]


def environment_of(
    pod: Manifest, container: Manifest, image: Image, sources: Sources, given: Mapping[str, str]
) -> dict[str, str]:
    """Variables in the order of precedence: image, cluster (`given`), envFrom, env.

    Raises ConfigurationMissing.
    """
    values = {"PATH": SEARCH_PATH, "HOME": "/root", "HOSTNAME": name_of(pod)}
    values |= {**image.environment, **given}
    for origin in container.get("envFrom", []):
        prefix = origin.get("prefix", "")
        for kind, key in (("configmap", "configMapRef"), ("secret", "secretRef")):
            if chosen := origin.get(key):
                content = sources.content(kind, chosen["name"], chosen.get("optional", False))
                values |= {prefix + name: data.decode() for name, data in content.items()}
    for variable in container.get("env", []):
        if "valueFrom" in variable:
            found = _value_from(variable["valueFrom"], pod, container, sources)
            if found is not None:
                values[variable["name"]] = found
        else:
            values[variable["name"]] = expand(variable.get("value", ""), values)
    return values


def quantity(text: str) -> int:
    """A quantity in whole units, rounded up as the kubelet does: `500m` is 1."""
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * factor)
    if text.endswith("m"):
        return -(-int(text.removesuffix("m")) // 1000)
    return int(text)


def _value_from(
    origin: Manifest, pod: Manifest, container: Manifest, sources: Sources
) -> str | None:
    if "fieldRef" in origin:
        return field_at(pod, origin["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in origin:
        return _resource(container, origin["resourceFieldRef"]["resource"])
    for kind, key in (("configmap", "configMapKeyRef"), ("secret", "secretKeyRef")):
        if chosen := origin.get(key):
            optional = bool(chosen.get("optional", False))
            content = sources.content(kind, chosen["name"], optional)
            if chosen["key"] in content:
                return content[chosen["key"]].decode()
            if not optional:
                raise ConfigurationMissing(
                    f"couldn't find key {chosen['key']} in {kind} {chosen['name']}"
                )
    return None


def _resource(container: Manifest, path: str) -> str:
    kind, _, name = path.partition(".")
    resources: dict[str, Any] = container.get("resources", {})
    return str(quantity(str(resources.get(kind, {}).get(name, "0"))))
