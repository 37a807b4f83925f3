"""A namespace's events, read for all of its slots together: both are many."""

import asyncio
import time
from collections.abc import Sequence

from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.kinds import EVENT

READ_AGAIN_SECONDS = 5.0


class NamespaceEvents:
    """Those of the cluster's own namespace."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._reading = asyncio.Lock()
        self._read_at: float | None = None
        self._events: Sequence[Object] = ()

    async def recent(self) -> Sequence[Object]:
        """As they were READ_AGAIN_SECONDS ago or later. Raises ClusterError."""
        async with self._reading:
            now = time.monotonic()
            if self._read_at is None or now - self._read_at >= READ_AGAIN_SECONDS:
                self._events = await self._cluster.select(EVENT)
                self._read_at = now
            return self._events
