"""What a container's `image` means on the stand-in's nodes: programs and files of this machine."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImagePullError(Exception):
    """No image or artifact is known under the reference; the text is what a registry would say."""


@dataclass(frozen=True)
class Image:
    """A container's file system is the machine's own with `mounts` (path inside → path here).

    `entrypoint` and `arguments` are what runs when the pod names neither command nor args.
    """

    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    mounts: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def repository_of(reference: str) -> str:
    """The reference without its tag and digest."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


class Registry:
    """Images and artifacts by reference; a test may add to it while the cluster runs."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}
        self._artifacts: dict[str, Path] = {}
        self._lock = threading.Lock()

    def add(self, reference: str, image: Image) -> None:
        """Make the image known under an exact reference, or under a repository for every tag."""
        with self._lock:
            self._images[reference] = image

    def add_artifact(self, reference: str, folder: Path) -> None:
        """Make a folder known as the content of an OCI image volume."""
        with self._lock:
            self._artifacts[reference] = folder

    def image(self, reference: str) -> Image:
        """Raises ImagePullError."""
        with self._lock:
            return _find(self._images, reference)

    def artifact(self, reference: str) -> Path:
        """Raises ImagePullError."""
        with self._lock:
            return _find(self._artifacts, reference)


def _find(known: Mapping[str, T], reference: str) -> T:
    for key in (reference, repository_of(reference)):
        if key in known:
            return known[key]
    raise ImagePullError(f'failed to pull and unpack image "{reference}": not found')
