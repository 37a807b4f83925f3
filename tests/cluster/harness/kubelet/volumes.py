"""A pod's volumes as folders of this machine. Their content is what it was when the pod started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.cluster.harness.images import Registry
from tests.cluster.harness.kubelet.environment import ConfigurationMissing, Sources
from tests.cluster.harness.kubelet.manifest import Manifest, field_at
from tests.cluster.harness.kubelet.sandbox import Mount
from tests.cluster.harness.kubelet.sources import UnsupportedVolume

Token = Callable[[Manifest], Awaitable[str]]
"""Gets the token that a `serviceAccountToken` projection asks for."""
Claim = Callable[[str], Awaitable[Path]]
"""Finds the folder behind a persistent volume claim. Raises UnsupportedVolume."""


async def make_volumes(
    pod: Manifest, folder: Path, sources: Sources, registry: Registry, token: Token, claim: Claim
) -> dict[str, Path]:
    """Make the pod's volumes below `folder`; returns where each lies, by its name.

    Raises ConfigurationMissing, ImagePullError, UnsupportedVolume.
    """
    places = {}
    for volume in pod["spec"].get("volumes", []):
        name = volume["name"]
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        if "image" in volume:
            place = registry.artifact(volume["image"]["reference"])
        elif "persistentVolumeClaim" in volume:
            place = await claim(volume["persistentVolumeClaim"]["claimName"])
        elif "projected" in volume:
            for source in volume["projected"].get("sources", []):
                await _project(source, place, pod, sources, token)
        elif "configMap" in volume or "secret" in volume or "downwardAPI" in volume:
            await _project(_as_projection(volume), place, pod, sources, token)
        elif "emptyDir" not in volume:
            kinds = sorted(set(volume) - {"name"})
            raise UnsupportedVolume(f'volume "{name}": the stand-in has no {", ".join(kinds)}')
        places[name] = place
    return places


def container_mounts(pod: Manifest, container: Manifest, places: Mapping[str, Path]) -> list[Mount]:
    """What the container's volumeMounts ask for."""
    read_only = {each["name"] for each in pod["spec"].get("volumes", []) if _is_read_only(each)}
    mounts = []
    for mount in container.get("volumeMounts", []):
        source = places[mount["name"]]
        if sub_path := mount.get("subPath"):
            source = source / sub_path
            if not source.exists():
                source.mkdir(parents=True)
        only_read = mount.get("readOnly", False) or mount["name"] in read_only
        mounts.append(Mount(source, mount["mountPath"].rstrip("/"), only_read))
    return mounts


def _is_read_only(volume: Manifest) -> bool:
    """Whether no container may write to it, whatever its mounts say."""
    if claim := volume.get("persistentVolumeClaim"):
        return bool(claim.get("readOnly", False))
    return "emptyDir" not in volume


def _as_projection(volume: Manifest) -> Manifest:
    if "secret" in volume:
        secret = dict(volume["secret"])
        return {"secret": {**secret, "name": secret["secretName"]}}
    return {key: value for key, value in volume.items() if key in {"configMap", "downwardAPI"}}


async def _project(
    source: Manifest, place: Path, pod: Manifest, sources: Sources, token: Token
) -> None:
    if projection := source.get("serviceAccountToken"):
        _write(place / projection["path"], (await token(projection)).encode())
    if downward := source.get("downwardAPI"):
        for item in downward.get("items", []):
            value = field_at(pod, item["fieldRef"]["fieldPath"])
            _write(place / item["path"], value.encode())
    for kind, key in (("configmap", "configMap"), ("secret", "secret")):
        if chosen := source.get(key):
            optional = bool(chosen.get("optional", False))
            content = sources.content(kind, chosen["name"], optional)
            for name, path in _items(chosen, content, kind, optional):
                _write(place / path, content[name])


def _items(
    chosen: Manifest, content: Mapping[str, bytes], kind: str, optional: bool
) -> list[tuple[str, str]]:
    """Pairs of key and path in the volume."""
    if "items" not in chosen:
        return [(name, name) for name in content]
    missing = [each["key"] for each in chosen["items"] if each["key"] not in content]
    if missing and not optional:
        raise ConfigurationMissing(
            f'{kind} "{chosen["name"]}" references non-existent key: {missing[0]}'
        )
    return [(each["key"], each["path"]) for each in chosen["items"] if each["key"] in content]


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
