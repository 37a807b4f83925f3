"""Objects of the Kubernetes API as resources."""

from collections.abc import Mapping
from typing import Any

import pulumi

Manifest = dict[str, Any]
"""An object as the API server takes it: apiVersion, kind, metadata and the rest."""

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""Annotation for objects whose readiness a resource of ours waits for, in better words."""


class KubernetesObject(pulumi.CustomResource):
    """One object, its manifest passed on as it is.

    The manifests are plain data, so that a server can check them without an engine; the
    generated classes would say the same once more in other names.
    """

    def __init__(
        self,
        name: str,
        manifest: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
    ) -> None:
        version = manifest["apiVersion"]
        group = version if "/" in version else f"core/{version}"
        super().__init__(f"kubernetes:{group}:{manifest['kind']}", name, dict(manifest), opts)


def manifest(
    api_version: str,
    kind: str,
    name: str,
    namespace: str | None,
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
    **content: Any,
) -> Manifest:
    """An object's manifest; `namespace` None for one that belongs to the whole cluster."""
    metadata: dict[str, Any] = {"name": name, "labels": dict(labels)}
    if namespace is not None:
        metadata["namespace"] = namespace
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def quantity_of_cpus(cpus: float) -> str:
    """As the API server itself writes it, so that a refresh finds no difference."""
    return f"{cpus:g}" if float(cpus).is_integer() else f"{round(cpus * 1000)}m"


def quantity_of_memory(gib: float) -> str:
    """As the API server itself writes it, so that a refresh finds no difference."""
    return f"{gib:g}Gi" if float(gib).is_integer() else f"{round(gib * 1024)}Mi"
