"""Scaling a slot to zero that no user's request reaches."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from tidegate.cluster import names
from tidegate.cluster.client import Object
from tidegate.cluster.kinds import POD
from tidegate.jobs.runner_state import look
from tidegate.provider.handler import Operation
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.drains import Drains
from tidegate.provider.kubernetes.patience import patiently, saying_once
from tidegate.provider.kubernetes.slot_scale import SlotScale, scale_to
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.traffic.gateway_api.recorded import Recorded
from tidegate.traffic.routes import ServiceRoutes

POLL_SECONDS = 0.5
DEFAULT_GRACE_SECONDS = 30
"""Of a pod that states none (API of Pod)."""
EXTRA_SECONDS = 30.0
"""For controllers and kubelets, beside the pods' own grace."""


@dataclass(frozen=True)
class Users:
    """Which revisions users may reach, or are about to. `unknown`: why nobody can say.

    `standing_by` are those that the routes mention without any traffic.
    """

    reached: Mapping[str, str]
    unknown: str | None = None
    standing_by: frozenset[str] = frozenset()

    def of(self, revision: str) -> str | None:
        """Why the revision needs its pods; None when no user's request comes to it."""
        return self.reached.get(revision, self.unknown)


class ScalingDown:
    """The slots of one namespace. Every method may raise ClusterError."""

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._cluster = access.cluster()

    async def users(self, service: str) -> Users:
        """Who takes traffic now, by the live routes and by a switch that moves them."""
        run = await SwitchRecords(self._cluster).unfinished(service)
        if run is not None:
            job = names.switch_job(service, run.number, run.restarts)
            if (await look(self._cluster, job)).has_ended:
                run = None  # nobody moves anything until the next `TrafficSwitch` takes it up
        # After the run: a switch that has ended meanwhile has left its weights.
        return users_of(await self._access.routes().of(service), run)

    async def to_zero(
        self, operation: Operation, service: str, slot: SlotScale, drain_seconds: float
    ) -> None:
        """Let the slot answer what it has begun, then scale it; its pods end within their grace."""
        drains = Drains(self._cluster, self._access.configuration)
        await drains.drain(operation, service, slot.revision, drain_seconds, is_pinned=False)
        operation.status(f"scaling {slot.revision} to zero")
        await patiently(operation, lambda: scale_to(self._cluster, slot.kind, slot.name, 0))

    async def wait_until_gone(
        self, operation: Operation, service: str, revisions: Collection[str]
    ) -> None:
        """Wait for the end of the slots' pods, as long as their own grace; warn of those left."""
        operation = saying_once(operation)
        began = time.monotonic()
        while True:
            pods = await patiently(operation, lambda: self._pods(service, revisions))
            if not pods:
                return
            limit = max(_grace(each) for each in pods) + EXTRA_SECONDS
            listed = ", ".join(sorted(each["metadata"]["name"] for each in pods))
            if time.monotonic() - began > limit:
                operation.warn(
                    f"these pods have not ended within {limit:g} s, and new ones wait for their "
                    f"place: {listed}"
                )
                return
            operation.status(f"waiting for the end of {listed}")
            await operation.sleep(POLL_SECONDS)

    async def _pods(self, service: str, revisions: Collection[str]) -> list[Object]:
        found = []
        for revision in revisions:
            chosen = names.selector(service, revision)
            found += [each for each in await self._cluster.select(POD, chosen) if _serves(each)]
        return found


def users_of(recorded: Recorded | None, run: SwitchRun | None) -> Users:
    """`run` is a switch that is being carried out."""
    reached: dict[str, str] = {}
    if run is not None:
        request = run.request
        before = [request.routes_before] if request.routes_before is not None else []
        for routes in (*before, *(stage.routes for stage in request.stages)):
            words = f"a switch to {request.to_revision} is under way"
            reached |= {revision: words for revision, _ in _weighted(routes)}
    if recorded is None:
        return Users(reached)
    service = recorded.routes.service
    for revision, weight in _weighted(recorded.routes):
        reached[revision] = f"it takes {weight}% of the traffic of {service}"
    for revision in recorded.routes.finishing:
        reached.setdefault(revision, f"sessions of {service} end there")
    unknown = None
    if recorded.problems:
        unknown = f"nobody knows where users get: {'; '.join(recorded.problems)}"
    mentioned = frozenset(recorded.routes.weights)
    return Users(reached, unknown, mentioned - {each for each, _ in _weighted(recorded.routes)})


def _weighted(routes: ServiceRoutes) -> Iterator[tuple[str, int]]:
    return ((revision, weight) for revision, weight in routes.weights.items() if weight > 0)


def _serves(pod: Object) -> bool:
    """Whether it is a server that still takes its place on a node."""
    is_runner = names.JOB_LABEL in (pod["metadata"].get("labels") or {})
    phase = (pod.get("status") or {}).get("phase")
    return not is_runner and phase not in {"Succeeded", "Failed"}


def _grace(pod: Object) -> float:
    seconds = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    return float(DEFAULT_GRACE_SECONDS if seconds is None else seconds)
