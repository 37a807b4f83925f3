"""Waits until a revision that is in nobody's routes any more has answered what it had begun."""

import asyncio
import contextlib

from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import ClusterError, NotFoundError
from tidegate.cluster.leases import Leases
from tidegate.records.drains import DrainRecords
from tidegate.runner.environment import RunnerEnvironment
from tidegate.runner.wanted import NotWantedError, WantedRun
from tidegate.traffic.drain import Drained, drain
from tidegate.traffic.gateway_api.router import GatewayApiRouter
from tidegate.traffic.router import NoDataPlaneError
from tidegate.traffic.switch_documents import DrainRecord


async def carry_out_drain(cluster: Cluster, environment: RunnerEnvironment) -> None:
    """Leave the outcome in the record. Raises ClusterError, RouterError and NotWantedError."""
    records = DrainRecords(cluster)
    run = await records.run(environment.run)
    if run is None:
        raise NotFoundError(f"there is no record {environment.run} of a drain")
    if run.outcome is not None:
        return
    request = run.request
    wanted = WantedRun(Leases(cluster), environment.run, environment.holder, request.lease_seconds)
    router = GatewayApiRouter(cluster, request.gateway)
    said: list[str] = []

    async def sleep(seconds: float) -> None:
        if wanted.stop_reason() is not None:
            raise NotWantedError(f"nobody waits for the drain of {request.revision} any more")
        if said:
            # Only for people to read.
            with contextlib.suppress(ClusterError):
                await records.show(environment.run, said[-1])
            said.clear()
        await asyncio.sleep(seconds)

    async with wanted.watched():
        try:
            drained = await drain(
                router, request.revision, request.drain_seconds, sleep, said.append
            )
            await router.release(request.service)
        except NoDataPlaneError:
            drained = Drained(request.revision, 0.0, {})
    outcome = DrainRecord(
        revision=request.revision,
        seconds=round(drained.seconds, 3),
        open_requests=drained.open_requests,
    )
    await records.end(environment.run, outcome)
