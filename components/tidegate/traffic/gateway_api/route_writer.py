"""Writes a service's objects, and waits until they are in force on every Envoy."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence

from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.errors import ClusterError, ConflictError, is_refusal
from tidegate.cluster.kinds import HTTP_ROUTE, SERVICE, Kind
from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.data_plane import DataPlane
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.drift import without_additions
from tidegate.traffic.gateway_api.objects import KINDS, render
from tidegate.traffic.gateway_api.recorded import Recorded, RecordedRoutes
from tidegate.traffic.gateway_api.silences import SilentEnvoyError, Told
from tidegate.traffic.router import RouterError, RoutesChangedError
from tidegate.traffic.routes import ServiceRoutes

CONFIRMATION_SECONDS = 60.0
"""From a write until every Envoy serves it: Envoy Gateway takes about a tenth of a second. After a
restart of its own or of the API server it is back, and Envoys are back at it, within 30 s: the
longest pause between their attempts."""
AGAIN_SECONDS = 15.0
"""From a write without a word of the controller until it is written again under another version.
Envoy Gateway (1.9) does not repeat a report that met no API server, until the route changes."""
ANSWER_SECONDS = 20.0
"""From rules in force until a server answers by them."""
LOST_NODE_SECONDS = 75.0
"""From a write until a silent Envoy must serve it: Kubernetes takes 40 to 55 s to notice that a
node is lost, and its Envoy counts as ready until then."""
PASSED_OVER_SECONDS = 5.0
"""An Envoy that is silent for so long does not hold up a move that is still to be made: it serves
nobody who would lose by it."""
REFUSAL_SECONDS = 3.0
"""So long a refusal must stand: a Service that was just made may not have been seen."""
POLL_SECONDS = 0.05
WRITES = 10


class RouteWriter:
    """One namespace's routes on one Gateway. Every method may raise RouterError."""

    def __init__(self, cluster: Cluster, gateway: GatewayReference, data_plane: DataPlane) -> None:
        self._cluster = cluster
        self._gateway = gateway
        self._data_plane = data_plane
        self._recorded = RecordedRoutes(cluster, gateway)
        self._may_write = False

    async def read(self, service: str) -> Recorded | None:
        """What the API server has."""
        try:
            return await self._recorded.of(service)
        except ClusterError as error:
            raise RouterError(str(error)) from error

    async def expected(self, service: str, replacing: ServiceRoutes | None) -> Recorded | None:
        """What is recorded. Raises RoutesChangedError when that is not `replacing`."""
        recorded = await self.read(service)
        if replacing is not None and (recorded is None or recorded.routes != replacing):
            raise RoutesChangedError(f"the routes of {service} were changed meanwhile")
        return recorded

    async def existing(self, revisions: Sequence[str]) -> tuple[str, ...]:
        """Without those whose Service has gone: a rule to one would be refused."""
        try:
            found = [await self._cluster.find(SERVICE, each) for each in revisions]
        except ClusterError as error:
            raise RouterError(str(error)) from error
        there = zip(revisions, found, strict=True)
        return tuple(revision for revision, service in there if service is not None)

    async def put(
        self,
        desired: DesiredRoutes,
        replacing: ServiceRoutes | None,
        *,
        passes_over_silent: bool = False,
    ) -> None:
        """Write the objects and wait until every Envoy serves them."""
        try:
            await self._write(desired, replacing)
            desired = await self._accepted(desired)
        except (ClusterError, SpecError) as error:
            raise RouterError(str(error)) from error

        async def elsewhere() -> Told:
            return await self._data_plane.not_serving(desired.routes, desired.version)

        words = f"the routes of {desired.routes.service} were accepted"
        await until_none(elsewhere, words, passes_over_silent=passes_over_silent)

    async def restore(self, desired: DesiredRoutes, before: Recorded | None) -> None:
        """Take `desired` back as far as it was written, unless somebody else has since."""
        service = desired.routes.service
        try:
            recorded = await self._recorded.of(service)
            if recorded is None:
                return
            if before is None and recorded.routes == desired.routes:
                await self._recorded.withdraw(service)
            elif before is not None and recorded.routes == before.routes:
                await self._write(before.desired, before.routes)
            elif before is not None and recorded.routes == desired.routes:
                # What the revisions have begun can still be watched.
                await self._write(DesiredRoutes(before.routes, desired.pinned), desired.routes)
        except (ClusterError, RouterError):
            return  # whoever asked for the move is told of its first error, and tries again

    async def delete(self, service: str) -> None:
        """Delete the objects and wait until no Envoy serves the routes any more."""
        recorded = await self.read(service)
        try:
            await self._recorded.withdraw(service)
        except ClusterError as error:
            raise RouterError(str(error)) from error
        if recorded is None:
            return

        async def still() -> Told:
            return await self._data_plane.serving_any(recorded.routes)

        await until_none(still, f"the routes of {service} were deleted")

    async def reached(self, routes: ServiceRoutes, revisions: Sequence[str]) -> None:
        """Wait until each of the revisions, which are pinned, answers through every Envoy that is
        not silent."""
        for revision in revisions:

            async def unreached(revision: str = revision) -> Told:
                return await self._data_plane.not_reaching(routes, revision)

            await until_none(
                unreached, f"{revision} was pinned", ANSWER_SECONDS, passes_over_silent=True
            )

    async def _write(self, desired: DesiredRoutes, replacing: ServiceRoutes | None) -> None:
        """HTTPRoute first, whose version decides between two writers; then what goes with it."""
        service = desired.routes.service
        objects = render(desired, self._gateway)
        await self._refuse_what_is_not_allowed(objects)
        for left in reversed(range(WRITES)):
            recorded = await self.expected(service, replacing)
            content = dict(objects)[HTTP_ROUTE]
            if recorded is not None:
                content = _at_version(content, recorded.resource_version)
            try:
                await self._apply(HTTP_ROUTE, content)
            except ConflictError:
                # Also the controller's reports about the route make a new version of it.
                if not left:
                    raise
                continue
            break
        others = [(kind, each) for kind, each in objects if kind != HTTP_ROUTE]
        await asyncio.gather(*(self._apply(kind, each) for kind, each in others))

    async def _apply(self, kind: Kind, content: Object) -> None:
        """Make the object what was rendered: also what others have added to it goes."""
        stored = await self._cluster.apply(kind, content)
        removal = without_additions(stored, content)
        if removal is not None:
            await self._cluster.patch(kind, content["metadata"]["name"], removal)

    async def _refuse_what_is_not_allowed(self, objects: Sequence[tuple[Kind, Object]]) -> None:
        """Ask once whether all of the kinds may be written: one of them alone is half a change."""
        if self._may_write:
            return
        judging = (self._cluster.apply(kind, each, dry_run=True) for kind, each in objects)
        for result in await asyncio.gather(*judging, return_exceptions=True):
            # Another error is the write's own to meet, and to try again after.
            if isinstance(result, ClusterError) and is_refusal(result):
                raise result
        self._may_write = True

    async def _accepted(self, desired: DesiredRoutes) -> DesiredRoutes:
        """Wait for the controller; what it has accepted in the end, under another version maybe."""
        service = desired.routes.service
        began = written = time.monotonic()
        while True:
            recorded = await self.read(service)
            if recorded is None or recorded.desired != desired:
                raise RoutesChangedError(f"the routes of {service} were changed meanwhile")
            if recorded.is_settled and not recorded.problems:
                return desired
            waited = time.monotonic() - began
            if recorded.problems and recorded.is_settled and waited > REFUSAL_SECONDS:
                raise RouterError("; ".join(recorded.problems))
            if waited > CONFIRMATION_SECONDS:
                kinds = " and ".join(kind.name for kind in KINDS)
                raise RouterError(
                    f"no controller has accepted {kinds} {service} within "
                    f"{CONFIRMATION_SECONDS:g} s; does Gateway {self._gateway.namespace}/"
                    f"{self._gateway.name} exist and does its controller run?"
                )
            if not recorded.is_settled and time.monotonic() - written > AGAIN_SECONDS:
                desired, written = desired.again(), time.monotonic()
                await self._write(desired, desired.routes)
            await asyncio.sleep(POLL_SECONDS)


async def until_none(
    ask: Callable[[], Awaitable[Told]],
    happened: str,
    seconds: float = CONFIRMATION_SECONDS,
    *,
    passes_over_silent: bool = False,
) -> None:
    """Ask until nothing is left. Raises RouterError after so many seconds, and not before
    LOST_NODE_SECONDS when an Envoy was silent that is not passed over."""
    began, limit = time.monotonic(), seconds
    while True:
        try:
            told = await ask()
        except SilentEnvoyError as error:
            told, limit = Told([str(error)]), max(limit, LOST_NODE_SECONDS)
        except RouterError as error:
            told = Told([str(error)])  # Envoys come and go, and close connections they drain
        if told.silent and not passes_over_silent:
            limit = max(limit, LOST_NODE_SECONDS)
        passed_over = PASSED_OVER_SECONDS if passes_over_silent else math.inf
        waited_for = [str(each) for each in told.silent if each.seconds < passed_over]
        left = [*told.otherwise, *waited_for]
        if not left:
            return
        if time.monotonic() - began > limit:
            raise RouterError(f"{happened}, and after {limit:g} s: {'; '.join(left)}")
        await asyncio.sleep(POLL_SECONDS)


def _at_version(content: Object, version: str) -> Object:
    return {**content, "metadata": {**content["metadata"], "resourceVersion": version}}
