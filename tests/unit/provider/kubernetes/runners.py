"""Runners inside the test's process: they end gates and switches as the test says."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.unit.cluster.api_server import ApiServer, Object
from tidegate.cluster import names
from tidegate.cluster.kinds import CONFIG_MAP, GRPC_ROUTE, HTTP_ROUTE, JOB, LEASE, POD
from tidegate.gate.request import GateRequest
from tidegate.gate.verdict import Outcome
from tidegate.records.gate_documents import GateProgress, VerdictNote
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.objects import render
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import (
    Ending,
    SwitchOutcome,
    SwitchProgress,
    SwitchRequest,
)

AT = "2026-11-23T01:00:00.000Z"
NO_NODE = {
    "type": "PodScheduled",
    "status": "False",
    "message": "0/2 nodes are available: 2 Insufficient cpu.",
}
GATEWAY = GatewayReference(namespace="team-a", name="tidegate")


class Runners:
    """`verdicts` and `endings` are what the next gates and switches end with.

    None in their place: the Job runs on. A text: the pod ends with that message. Without nodes
    (`has_nodes`), the pods of Jobs are made and do not begin.
    """

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self.verdicts: list[Outcome | str | None] = []
        self.endings: list[Ending | None] = []
        self.was_shown = False
        self.gates: list[GateRequest] = []
        self.switches: list[SwitchRequest] = []
        self.drains: list[str] = []
        self.drains_fail = False
        self.has_nodes = True
        self._seen: set[str] = set()
        api.controller = self._written

    def _written(self, plural: str, written: Object) -> None:
        if plural == LEASE.plural:
            self._stop_if_cancelled(written)
        elif plural == JOB.plural and written["metadata"]["uid"] not in self._seen:
            self._seen.add(written["metadata"]["uid"])
            self._carry_out(written)

    def data(self, record: str) -> dict[str, str]:
        """Documents of a record."""
        return dict(self.api.get(CONFIG_MAP.plural, record)["data"])

    def write(self, record: str, key: str, document: str) -> None:
        self.api.get(CONFIG_MAP.plural, record)["data"][key] = document

    def jobs(self) -> list[str]:
        return self.api.names(JOB.plural)

    def remove_job(self, name: str) -> None:
        for key in [each for each in self.api.objects if each[2] == name]:
            del self.api.objects[key]

    def _carry_out(self, job: Object) -> None:
        kind = job["metadata"]["labels"][names.JOB_LABEL]
        if not self.has_nodes:
            self._pod(job["metadata"]["name"], {"phase": "Pending", "conditions": [NO_NODE]})
            return
        run = job["metadata"]["annotations"][names.RUN_ANNOTATION]
        match kind:
            case "gate":
                self._gate(job["metadata"]["name"], run)
            case "switch":
                self._switch(job["metadata"]["name"], run)
            case "drain":
                self._drain(job["metadata"]["name"], run)

    def _stop_if_cancelled(self, lease: Object) -> None:
        annotations = lease["metadata"].get("annotations") or {}
        if annotations.get(names.CANCEL_ANNOTATION) != "true":
            return
        run = lease["metadata"]["name"]
        for name in self.jobs():
            job = self.api.get(JOB.plural, name)
            if job["metadata"]["annotations"][names.RUN_ANNOTATION] != run or _has_ended(job):
                continue
            if f"{name}-x" not in self._running():
                continue
            if run.startswith("gate."):
                progress = GateProgress(at=AT, event="cancelled", message="cancelled; no verdict")
                self.write(run, "progress.json", progress.to_json())
                self.end(name, None)
            else:
                self._end_switch(name, run, Ending.CANCELLED)

    # -- gates --------------------------------------------------------------------------------

    def _gate(self, job: str, run: str) -> None:
        request = GateRequest.model_validate_json(self.data(run)["request.json"])
        self.gates.append(request)
        verdict = self.verdicts.pop(0)
        self.begin(job)
        if verdict is None:
            return
        if isinstance(verdict, Outcome):
            self.end(job, note(verdict, request.digest).to_message())
        else:
            self.end(job, verdict)

    # -- switches -----------------------------------------------------------------------------

    def _switch(self, job: str, run: str) -> None:
        request = SwitchRequest.model_validate_json(self.data(run)["request.json"])
        self.switches.append(request)
        self.begin(job)
        self.route(request.stages[0].routes)
        ending = self.endings.pop(0) if self.endings else Ending.ADVANCED
        if ending is not None:
            self._end_switch(job, run, ending)

    def _end_switch(self, job: str, run: str, ending: Ending) -> None:
        request = SwitchRequest.model_validate_json(self.data(run)["request.json"])
        advanced = ending is Ending.ADVANCED
        routes = request.stages[-1].routes if advanced else request.routes_before
        if routes is not None:
            self.route(routes)
        outcome = SwitchOutcome(
            service=request.service,
            run=request.run,
            from_revision=request.from_revision,
            to_revision=request.to_revision,
            ending=ending,
            reason=f"the runner ends with {ending}",
            was_shown=self.was_shown,
            stage=1,
            of=len(request.stages),
            judgement=None,
            candidate_requests=1234,
            candidate_errors=25,
            drained=None,
            at=AT,
        )
        self.write(run, "outcome.json", outcome.to_json())
        if advanced:
            record = self.data(names.switch_record(request.service))
            served = {**json.loads(record.get("served.json", "{}")), request.to_revision: AT}
            self.write(names.switch_record(request.service), "served.json", json.dumps(served))
        self.end(job, None)

    def route(self, routes: ServiceRoutes) -> None:
        """Objects of the Gateway API as the router writes them, accepted by its controller."""
        desired = DesiredRoutes(routes, ())
        for kind, content in render(desired, GATEWAY):
            if kind not in {HTTP_ROUTE, GRPC_ROUTE}:
                self.api.put(kind.plural, content)
                continue
            parent = {
                "parentRef": content["spec"]["parentRefs"][0],
                "conditions": [
                    {"type": each, "status": "True", "observedGeneration": 1}
                    for each in ("Accepted", "ResolvedRefs")
                ],
            }
            self.api.put(kind.plural, {**content, "status": {"parents": [parent]}})

    def _drain(self, job: str, run: str) -> None:
        labels = self.api.get(CONFIG_MAP.plural, run)["metadata"]["labels"]
        revision = labels[names.REVISION_LABEL]
        self.drains.append(revision)
        self.begin(job)
        if not self.drains_fail:
            record = {"revision": revision, "seconds": 0.5, "openRequests": {"grpc": 2}}
            self.write(run, "outcome.json", json.dumps(record))
        self.end(job, None)

    def move_without_end(self, run: str) -> None:
        """A runner takes the first step of a switch, and is heard of no more."""
        request = SwitchRequest.model_validate_json(self.data(run)["request.json"])
        self.route(request.stages[0].routes)
        progress = SwitchProgress(
            service=request.service,
            run=request.run,
            from_revision=request.from_revision,
            to_revision=request.to_revision,
            state="running",
            stage=None,
            judgement=None,
            message="step 1",
        )
        self.write(run, "progress.json", progress.to_json())

    def end_running(self, ending: Ending) -> None:
        """End the switch that runs on."""
        (job,) = [
            each
            for each in self.jobs()
            if each.startswith("switch-") and not _has_ended(self.api.get(JOB.plural, each))
        ]
        run = self.api.get(JOB.plural, job)["metadata"]["annotations"][names.RUN_ANNOTATION]
        self._end_switch(job, run, ending)

    # -- the Job's controller and the kubelet ---------------------------------------------------

    def begin(self, job: str) -> None:
        state = {"name": "runner", "state": {"running": {}}}
        self._pod(job, {"phase": "Running", "containerStatuses": [state]})

    def _pod(self, job: str, status: Object) -> None:
        owner = {"kind": "Job", "uid": self.api.get(JOB.plural, job)["metadata"]["uid"]}
        meta: Object = {"name": f"{job}-x", "creationTimestamp": AT, "ownerReferences": [owner]}
        meta["labels"] = {"batch.kubernetes.io/job-name": job}
        pod = {"metadata": meta, "spec": {"containers": []}, "status": status}
        self.api.put(POD.plural, pod)

    def _running(self) -> set[str]:
        pods = [each for key, each in self.api.objects.items() if key[0] == POD.plural]
        return {
            each["metadata"]["name"] for each in pods if each["status"].get("phase") == "Running"
        }

    def end(self, job: str, said: str | None, **status: Any) -> None:
        """The pod ends with a termination message, and the Job with it."""
        ended = {"exitCode": 0, "reason": "Completed", "message": said or ""}
        pod = self.api.get(POD.plural, f"{job}-x")
        pod["status"] = {
            "phase": "Succeeded",
            "containerStatuses": [{"name": "runner", "state": {"terminated": ended}}],
        } | status
        conditions = [{"type": "Complete", "status": "True"}]
        self.api.get(JOB.plural, job)["status"] = {"conditions": conditions}


def note(outcome: Outcome, request_digest: str, number: int = 1) -> VerdictNote:
    return VerdictNote(
        outcome=outcome,
        summary=f"{outcome.value}: p95 is 12 ms, SLO 50 ms",
        reasons=("the first reason",),
        evidence_path="s3://evidence/1.json",
        request_digest=request_digest,
        verdict_digest=f"sha256:{number:064x}",
    )


def _has_ended(job: Object) -> bool:
    return bool((job.get("status") or {}).get("conditions"))


async def until(condition: Callable[[], object]) -> None:
    """Wait for what a handler does meanwhile."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(0.005)
