"""Leases: whether a run is still wanted, and which gate has an accelerator pool to itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.errors import AlreadyExistsError, ConflictError, NotFoundError
from tidegate.cluster.kinds import LEASE
from tidegate.cluster.names import CANCEL_ANNOTATION, labels

STALE_SECONDS = 30.0
"""A holder that has not renewed its lease for so long is gone."""


@dataclass(frozen=True)
class LeaseState:
    """A lease as it was read. Clocks differ, so `renewed` only tells whether it changed since."""

    holder: str | None
    renewed: str | None
    is_cancelled: bool

    def is_held_as(self, other: "LeaseState | None") -> bool:
        """Whether it is held by the same one, who has not renewed it since `other` was read."""
        return other is not None and (self.holder, self.renewed) == (other.holder, other.renewed)


class Leases:
    """Leases of one namespace; without, of the cluster's own."""

    def __init__(self, cluster: Cluster, namespace: str | None = None) -> None:
        self._cluster = cluster
        self._namespace = namespace or cluster.namespace

    async def renew(self, name: str, service: str, revision: str | None = None) -> None:
        """Say that the run of that name is still wanted; makes its lease."""
        renewed = {"spec": {"renewTime": _now()}}
        try:
            await self._cluster.patch(LEASE, name, renewed, self._namespace)
        except NotFoundError:
            meta = self._meta(name, labels(service, revision))
            await self._cluster.ensure(LEASE, {"metadata": meta, **renewed})

    async def ask_to_cancel(self, name: str) -> None:
        """Have the run stop. Raises NotFoundError when it has no lease."""
        annotations = {CANCEL_ANNOTATION: "true"}
        patch = {"metadata": {"annotations": annotations}}
        await self._cluster.patch(LEASE, name, patch, self._namespace)

    async def state(self, name: str) -> LeaseState | None:
        """None when there is no such lease."""
        found = await self._cluster.find(LEASE, name, self._namespace)
        return _state(found) if found is not None else None

    async def hold(self, name: str, holder: str) -> None:
        """Become the holder of a run's lease, whoever was; the former one finds that it lost it."""
        patch = {"spec": {"holderIdentity": holder}}
        await self._cluster.patch(LEASE, name, patch, self._namespace)

    async def take(self, name: str, holder: str, stale: LeaseState | None = None) -> bool:
        """Become the holder if nobody is, or if it is still held as when it was found `stale`.

        A holder renews by taking again. False when somebody else holds it or was quicker: several
        who wait find a lease stale at the same time, and the first of them holds it from then on.
        """
        found = await self._cluster.find(LEASE, name, self._namespace)
        spec = {"holderIdentity": holder, "renewTime": _now()}
        try:
            if found is None:
                content = {"metadata": self._meta(name, labels()), "spec": spec}
                await self._cluster.create(LEASE, content)
                return True
            state = _state(found)
            if state.holder not in {None, holder} and not state.is_held_as(stale):
                return False
            kept = found.get("spec") or {}
            await self._cluster.replace(LEASE, {**found, "spec": {**kept, **spec}})
        except (AlreadyExistsError, ConflictError, NotFoundError):
            return False
        return True

    async def give_back(self, name: str, holder: str) -> None:
        """Let the next one have it; nothing happens when somebody else holds it."""
        found = await self._cluster.find(LEASE, name, self._namespace)
        if found is None or _state(found).holder != holder:
            return
        try:
            spec = {**found["spec"], "holderIdentity": ""}
            await self._cluster.replace(LEASE, {**found, "spec": spec})
        except (ConflictError, NotFoundError):
            return

    async def discard(self, name: str, own: str) -> None:
        """Delete the lease, unless somebody holds it whose name does not begin with `own`."""
        state = await self.state(name)
        if state is None or not (state.holder or own).startswith(own):
            return
        # Taken first: nobody else can have become its holder when it is deleted.
        if await self.take(name, f"{own}removal", stale=state):
            await self.delete(name)

    async def delete(self, name: str) -> None:
        await self._cluster.delete(LEASE, name, namespace=self._namespace)

    def _meta(self, name: str, with_labels: dict[str, str]) -> Object:
        return {"name": name, "namespace": self._namespace, "labels": with_labels}


class LeaseAge:
    """How long a lease has not been renewed, in seconds of this machine's clock.

    Clocks differ, so a renewal is seen by its change. Time in which the API server could not be
    asked does not count: whoever renews could not reach it either.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked = clock()
        self._seen: str | None = None
        self.seconds = 0.0

    def observed(self, renewed: str | None) -> None:
        """The lease was read."""
        now = self._clock()
        self.seconds = self.seconds + now - self._asked if renewed == self._seen else 0.0
        self._seen, self._asked = renewed, now

    def missed(self) -> None:
        """The lease could not be read."""
        self._asked = self._clock()


def _state(lease: Object) -> LeaseState:
    spec = lease.get("spec") or {}
    annotations = lease["metadata"].get("annotations") or {}
    return LeaseState(
        holder=spec.get("holderIdentity") or None,
        renewed=spec.get("renewTime"),
        is_cancelled=annotations.get(CANCEL_ANNOTATION) == "true",
    )


def _now() -> str:
    """As a Lease wants it: six digits of a second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
