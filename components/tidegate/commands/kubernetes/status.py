"""What a stack is doing on a cluster, asked of its API server."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidegate.cluster import names
from tidegate.cluster.client import Cluster, Object
from tidegate.cluster.endpoints import ready_endpoints
from tidegate.cluster.errors import ClusterError, MissingKindError
from tidegate.cluster.kinds import DEPLOYMENT, GATEWAY, JOB, LEADER_WORKER_SET
from tidegate.cluster.pod_proxy import PodProxy
from tidegate.commands.kubernetes.revisions import release_in
from tidegate.commands.kubernetes.service_watch import not_known
from tidegate.jobs.runner_state import RunnerState
from tidegate.records.gates import GateRecord, GateRecords
from tidegate.records.switch_run import SwitchRun
from tidegate.records.switches import SwitchRecords
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.objects import KINDS
from tidegate.traffic.gateway_api.proxied_counters import ProxiedCounters
from tidegate.traffic.gateway_api.recorded import Recorded, RecordedRoutes
from tidegate.traffic.router import RouterError
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.stack_status import (
    RevisionStatus,
    StackStatus,
    SwitchStatus,
    in_order,
    role_of,
    weight_of,
)
from tidegate.traffic.switch_words import run_in_words

RATE_WINDOW_SECONDS = 1.0
UNGATED = ("ungated", "never judged here; it cannot take traffic before its gate has passed")

Owners = dict[str, str]
"""Revision to its service."""


@dataclass(frozen=True)
class _ServiceState:
    """What one service has recorded: its newest switch, and what is not settled."""

    newest: SwitchRun | None
    unsettled: SwitchStatus | None


async def cluster_status(cluster: Cluster, proxy: PodProxy) -> StackStatus:
    """Raises ClusterError; what only the gateway's own namespace tells may be unknown."""
    services = await SwitchRecords(cluster).services()
    states = await asyncio.gather(*(_service_state(cluster, each) for each in services))
    gateway = next((each.newest.gateway for each in states if each.newest is not None), None)
    recorded = await RecordedRoutes(cluster, gateway, KINDS).all() if gateway is not None else []
    routes = {each.routes.service: each.routes for each in recorded}
    gates = {each.revision: each for each in await GateRecords(cluster).all()}
    workloads = await _workloads(cluster)
    owners = _owners(recorded, gates.values(), workloads)
    problems = [problem for each in recorded for problem in each.problems]
    address, why_not = (None, None)
    rates: Mapping[str, float] = {}
    if gateway is not None:
        address, why_not = await _gateway(cluster, gateway)
        counters = ProxiedCounters(cluster, gateway, proxy)
        rates, unknown = await _rates(counters, owners)
        problems += [each for each in (why_not, unknown) if each is not None]
    return StackStatus(
        gateway=address,
        gateway_serving=gateway is not None and why_not is None,
        revisions=await _revisions(cluster, owners, routes, gates, workloads, rates),
        switches=[each.unsettled for each in states if each.unsettled is not None],
        problems=problems,
    )


async def _service_state(cluster: Cluster, service: str) -> _ServiceState:
    switches = SwitchRecords(cluster)
    newest, override = await switches.latest(service), await switches.override(service)
    under_way = None
    if newest is not None and newest.outcome is None:
        under_way = run_in_words(newest.request, newest.progress)
    if under_way is None and override is None:
        return _ServiceState(newest, None)
    return _ServiceState(newest, SwitchStatus(service, under_way, override))


async def _workloads(cluster: Cluster) -> dict[str, Object]:
    """Deployments and LeaderWorkerSets by their revision."""
    found = {}
    for kind in (DEPLOYMENT, LEADER_WORKER_SET):
        try:
            items = await cluster.select(kind, names.selector())
        except MissingKindError:
            continue
        for each in items:
            revision = (each["metadata"].get("labels") or {}).get(names.REVISION_LABEL)
            if revision is not None:
                found[str(revision)] = each
    return found


def _owners(
    recorded: Iterable[Recorded], gates: Iterable[GateRecord], workloads: Mapping[str, Object]
) -> Owners:
    routed = {
        revision: each.routes.service for each in recorded for revision in each.routes.weights
    }
    gated = {each.revision: each.service for each in gates}
    made = {
        revision: str(each["metadata"]["labels"].get(names.SERVICE_LABEL, ""))
        for revision, each in workloads.items()
    }
    return {**made, **gated, **routed}


async def _gateway(cluster: Cluster, gateway: GatewayReference) -> tuple[str, str | None]:
    """Where users find it, and why it does not serve."""
    name = f"{gateway.namespace}/{gateway.name}"
    try:
        found = await cluster.get(GATEWAY, gateway.name, gateway.namespace)
    except ClusterError as error:
        return name, str(error)
    status = found.get("status") or {}
    addresses = [str(each["value"]) for each in status.get("addresses") or ()]
    ports = sorted({str(each["port"]) for each in found["spec"]["listeners"]})
    where = f"{name} at {', '.join(addresses) or 'no address'}, port {', '.join(ports)}"
    for condition in status.get("conditions") or ():
        if condition["type"] == "Programmed":
            if condition["status"] == "True":
                return where, None
            return where, f"Gateway {name} is not programmed: {condition.get('message', '')}"
    return where, f"no controller has taken Gateway {name} up"


async def _rates(
    counters: ProxiedCounters, revisions: Iterable[str]
) -> tuple[Mapping[str, float], str | None]:
    """Users' requests per second by revision, or why they are not known."""
    revisions = list(revisions)
    try:
        before = await counters.read(revisions)
        await asyncio.sleep(RATE_WINDOW_SECONDS)
        after = await counters.read(revisions)
    except (ClusterError, RouterError) as error:
        return {}, not_known(error)
    return {
        each: (after[each].requests - before[each].requests) / RATE_WINDOW_SECONDS
        for each in revisions
    }, None


async def _revisions(
    cluster: Cluster,
    owners: Owners,
    routes: Mapping[str, ServiceRoutes],
    gates: Mapping[str, GateRecord],
    workloads: Mapping[str, Object],
    rates: Mapping[str, float],
) -> list[RevisionStatus]:
    ready = await ready_endpoints(cluster)
    running = await _running_gates(cluster)
    found = []
    for revision, service in owners.items():
        route = routes.get(service)
        wanted = (workloads.get(revision, {}).get("spec") or {}).get("replicas", ready[revision])
        gate, verdict = _gate(gates.get(revision), running.get(revision))
        found.append(
            RevisionStatus(
                service=service,
                revision=revision,
                release=release_in(service, revision).rpartition("@")[2],
                role=role_of(route, revision),
                weight=weight_of(route, revision),
                healthy=ready[revision] > 0,
                servers_ready=ready[revision],
                servers=int(wanted),
                requests_per_second=rates.get(revision),
                gate=gate,
                verdict=verdict,
            )
        )
    return in_order(found)


async def _running_gates(cluster: Cluster) -> dict[str, str]:
    """Revisions whose gate runs, and how far it is."""
    jobs = await cluster.select(JOB, names.selector(job="gate"))
    found = {}
    for job in jobs:
        if RunnerState(job, ()).has_ended:
            continue
        metadata = job["metadata"]
        run = await GateRecords(cluster).run(metadata["annotations"][names.RUN_ANNOTATION])
        progress = run.progress if run is not None else None
        message = progress.message if progress is not None else "its pod is being started"
        found[str(metadata["labels"][names.REVISION_LABEL])] = message
    return found


def _gate(gate: GateRecord | None, running: str | None) -> tuple[str, str]:
    """The gate in a word, and its last verdict in a sentence."""
    if running is not None:
        return "running", f"its gate is running: {running}"
    if gate is None or gate.verdict is None:
        return UNGATED
    return gate.verdict.outcome.value, gate.verdict.summary
