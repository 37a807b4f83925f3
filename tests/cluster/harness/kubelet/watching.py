"""Follows all objects of a kind, across interruptions of the API server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from lightkube import AsyncClient
from lightkube.core.resource import NamespacedResourceG

from tests.cluster.harness.kubelet.manifest import Manifest

RETRY_SECONDS = 0.3
R = TypeVar("R", bound=NamespacedResourceG)


@dataclass(frozen=True)
class Follower:
    """`replace` gets everything that exists, then `put` and `remove` what changes."""

    replace: Callable[[list[Manifest]], None]
    put: Callable[[Manifest], None]
    remove: Callable[[Manifest], None]


async def follow(client: AsyncClient, kind: type[R], follower: Follower) -> None:
    """Follow the kind in all namespaces for ever."""
    while True:
        try:
            await _follow_once(client, kind, follower)
        except httpx2.HTTPError:  # the API server went away, or has forgotten this version
            await asyncio.sleep(RETRY_SECONDS)


async def _follow_once(client: AsyncClient, kind: type[R], follower: Follower) -> None:
    listed = client.list(kind, namespace="*")
    follower.replace([_plain(each) async for each in listed])
    watch = client.watch(kind, namespace="*", resource_version=listed.resourceVersion)
    async for operation, found in watch:
        if operation == "DELETED":
            follower.remove(_plain(found))
        else:
            follower.put(_plain(found))


def _plain(found: Any) -> Manifest:
    plain: Manifest = found.to_dict()
    return plain
