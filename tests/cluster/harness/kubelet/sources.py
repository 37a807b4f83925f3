"""Reads what a pod's environment and volumes are made from."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lightkube import ApiError, AsyncClient
from lightkube.models.authentication_v1 import BoundObjectReference, TokenRequestSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import (
    ConfigMap,
    PersistentVolume,
    PersistentVolumeClaim,
    Secret,
    ServiceAccountToken,
)

from tests.cluster.harness.kubelet.environment import Sources
from tests.cluster.harness.kubelet.manifest import Manifest, name_of, namespace_of, uid_of

SECRET_KEYS = ("secret", "secretRef", "secretKeyRef")
CONFIG_MAP_KEYS = ("configMap", "configMapRef", "configMapKeyRef")
NOT_FOUND = 404
DEFAULT_TOKEN_SECONDS = 3600


class UnsupportedVolume(Exception):
    """The stand-in has no volume of this kind."""


async def read_sources(client: AsyncClient, pod: Manifest) -> Sources:
    """Contents of every ConfigMap and Secret that the pod names, as far as they exist."""
    namespace = namespace_of(pod)
    config_maps: dict[str, dict[str, bytes]] = {}
    secrets: dict[str, dict[str, bytes]] = {}
    for name in set(_names(pod["spec"], CONFIG_MAP_KEYS)):
        try:
            found = await client.get(ConfigMap, name, namespace=namespace)
        except ApiError as error:
            _unless_absent(error)
            continue
        text = {key: value.encode() for key, value in (found.data or {}).items()}
        config_maps[name] = text | _decoded(found.binaryData or {})
    for name in set(_names(pod["spec"], SECRET_KEYS)):
        try:
            secret = await client.get(Secret, name, namespace=namespace)
        except ApiError as error:
            _unless_absent(error)
            continue
        secrets[name] = _decoded(secret.data or {})
    return Sources(config_maps, secrets)


async def service_account_token(client: AsyncClient, pod: Manifest, projection: Manifest) -> str:
    """A token bound to the pod, as a `serviceAccountToken` projection asks for it."""
    audience = projection.get("audience")
    spec = TokenRequestSpec(
        audiences=[audience] if audience else [],
        expirationSeconds=projection.get("expirationSeconds", DEFAULT_TOKEN_SECONDS),
        boundObjectRef=BoundObjectReference("v1", "Pod", name_of(pod), uid_of(pod)),
    )
    made = await client.create(
        ServiceAccountToken(spec=spec, metadata=ObjectMeta()),
        pod["spec"].get("serviceAccountName", "default"),
        namespace=namespace_of(pod),
    )
    return str(made.status.token) if made.status else ""


async def claimed_folder(client: AsyncClient, namespace: str, claim: str) -> Path:
    """Folder of the `hostPath` or `local` volume that a claim is bound to.

    Raises UnsupportedVolume for a volume of another kind.
    """
    bound = await client.get(PersistentVolumeClaim, claim, namespace=namespace)
    name = str(bound.spec.volumeName) if bound.spec else ""
    source = (await client.get(PersistentVolume, name)).spec
    for place in (source.hostPath, source.local) if source else ():
        if place is not None:
            return Path(place.path)
    raise UnsupportedVolume(f'claim "{claim}": the stand-in mounts hostPath and local volumes only')


def _names(part: Any, keys: Iterable[str]) -> Iterator[str]:
    """Names that stand under one of the keys, wherever in the pod's specification."""
    if isinstance(part, list):
        for each in part:
            yield from _names(each, keys)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in keys and isinstance(value, dict):
                name = value.get("name") or value.get("secretName")
                if name:
                    yield str(name)
            else:
                yield from _names(value, keys)


def _decoded(content: dict[str, str]) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in content.items()}


def _unless_absent(error: ApiError) -> None:
    if error.status.code != NOT_FOUND:
        raise error
