"""What the parts of the stand-in share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from lightkube import AsyncClient

from tests.cluster.harness.images import Registry
from tests.cluster.harness.kubelet.environment import Sources
from tests.cluster.harness.kubelet.manifest import Manifest
from tests.cluster.harness.network import ClusterNetwork, PodNetwork


@dataclass(frozen=True)
class Context:
    """One stand-in's: `environment` is what every container gets, `folder` holds pods' files."""

    client: AsyncClient
    probes: httpx.AsyncClient
    network: ClusterNetwork
    registry: Registry
    environment: Mapping[str, str]
    folder: Path


@dataclass(frozen=True)
class Sandbox:
    """What a pod's containers share. `places` are its volumes by name."""

    pod: Manifest
    folder: Path
    network: PodNetwork
    places: Mapping[str, Path]
    sources: Sources
    context: Context

    @property
    def hosts(self) -> Path:
        return self.folder / "hosts"

    def log(self, container: str) -> Path:
        return self.folder / "logs" / f"{container}.log"
