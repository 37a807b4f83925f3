"""Switches of a namespace: who has served, an override, the journal, and the runs."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tidegate.cluster import names
from tidegate.cluster.client import Cluster
from tidegate.cluster.kinds import CONFIG_MAP, JOB, LEASE
from tidegate.cluster.leases import Leases
from tidegate.gate.clock import utc_now
from tidegate.records.config_map import change, config_map, packed, unpacked
from tidegate.records.switch_journal import appended, events, journal_line
from tidegate.records.switch_run import (
    DECISION,
    GATEWAY,
    OUTCOME,
    PROGRESS,
    REFERENCE,
    REQUEST,
    RESTARTS,
    SwitchRun,
    parse_run,
)
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.conductor_parts import Snapshot, snapshots
from tidegate.traffic.switch_documents import (
    Decision,
    Ending,
    Override,
    SwitchOutcome,
    SwitchProgress,
    SwitchRequest,
)
from tidegate.traffic.switch_history import PastSwitch, SwitchPlan, standing_turn_back

LEASE_SECONDS = 20.0
KEPT_RUNS = 30

LATEST_RUN = "latestRun"
SERVED = "served.json"
OVERRIDE = "override.json"
JOURNAL = "journal.jsonl"

Edit = Callable[[dict[str, str]], dict[str, str] | None]


class SwitchRecords:
    """Switches of one namespace. Every method raises ClusterError."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._leases = Leases(cluster)

    # -- runs ---------------------------------------------------------------------------------

    async def submit(
        self, service: str, plan: SwitchPlan, gateway: GatewayReference, user: str
    ) -> SwitchRun:
        """Record a new run with its lease; the caller makes its Job."""
        number = await self._next_number(service)
        name = names.switch_run(service, number)
        request = SwitchRequest(
            service=service,
            run=number,
            from_revision=plan.from_revision,
            to_revision=plan.to_revision,
            routes_before=plan.routes_before,
            stages=plan.stages,
            strategy=plan.strategy,
            drain_seconds=plan.drain_seconds,
            lease_seconds=LEASE_SECONDS,
            retry_reason=plan.retry_reason,
        )
        data = {REQUEST: request.to_json(), GATEWAY: gateway.model_dump_json(by_alias=True)}
        labels = names.labels(service, record="switch-run")
        made = await self._cluster.create(CONFIG_MAP, config_map(name, labels, data))
        # After the record: a lease alone would be nobody's, should the process end in between.
        await self._leases.renew(name, service)
        words = f"a switch from {plan.from_revision} to {plan.to_revision} was asked for"
        await self.note(service, "submitted", words, run=number, user=user)
        await self._forget_old_runs(service)
        return parse_run(made)

    async def run(self, name: str) -> SwitchRun | None:
        found = await self._cluster.find(CONFIG_MAP, name)
        return parse_run(found) if found is not None else None

    async def runs(self, service: str) -> list[SwitchRun]:
        """The last KEPT_RUNS runs, newest first."""
        labels = names.labels(service, record="switch-run")
        found = [parse_run(each) for each in await self._cluster.select(CONFIG_MAP, labels)]
        return sorted(found, key=lambda run: run.number, reverse=True)

    async def latest(self, service: str) -> SwitchRun | None:
        return next(iter(await self.runs(service)), None)

    async def unfinished(self, service: str) -> SwitchRun | None:
        """The run that has no outcome yet, whether or not its Job is there."""
        run = await self.latest(service)
        return run if run is not None and run.outcome is None else None

    async def note_restart(self, run: SwitchRun) -> SwitchRun:
        """Count one more Job of a run whose Job has gone; the caller makes it."""

        def counted(data: dict[str, str]) -> dict[str, str]:
            return {**data, RESTARTS: str(int(data.get(RESTARTS, "0")) + 1)}

        await change(self._cluster, run.name, counted)
        return parse_run(await self._cluster.get(CONFIG_MAP, run.name))

    async def standing_turn_back(
        self, service: str, revision: str, retry: str | None
    ) -> SwitchOutcome | None:
        """The revision's last run, when it was shown to be worse and no new reason is given.

        A revision that has finished a switch since then is free of it.
        """
        if await self.has_served(service, revision):
            return None
        past = [PastSwitch(run.request, run.outcome) for run in await self.runs(service)]
        return standing_turn_back(past, revision, retry)

    async def remove(self, service: str) -> None:
        """Forget the service's runs, their Jobs and leases, who served, the journal."""
        for job in await self._cluster.select(JOB, names.labels(service, job="switch")):
            await self._cluster.delete(JOB, job["metadata"]["name"])
        for run in await self.runs(service):
            await self._remove_run(run)
        await self._cluster.delete(CONFIG_MAP, names.switch_record(service))

    # -- the service's record -----------------------------------------------------------------

    async def services(self) -> list[str]:
        """Every service that ever switched here."""
        found = await self._cluster.select(CONFIG_MAP, names.labels(record="switch"))
        return sorted(each["metadata"]["labels"][names.SERVICE_LABEL] for each in found)

    async def served(self, service: str) -> dict[str, str]:
        """When each revision first had all of the users' traffic at the end of a switch."""
        data = await self._data(service)
        return dict(json.loads(data.get(SERVED, "{}")))

    async def has_served(self, service: str, revision: str) -> bool:
        return revision in await self.served(service)

    async def note_served(self, service: str, revision: str) -> None:
        def noted(data: dict[str, str]) -> dict[str, str]:
            served = json.loads(data.get(SERVED, "{}"))
            return {**data, SERVED: json.dumps({revision: utc_now(), **served})}

        await self._change(service, noted)

    async def forget_served(self, service: str, revision: str) -> None:
        """A revision that comes back later is as new as its gate."""

        def forgotten(data: dict[str, str]) -> dict[str, str] | None:
            served = json.loads(data.get(SERVED, "{}"))
            left = {name: at for name, at in served.items() if name != revision}
            return {**data, SERVED: json.dumps(left)} if left != served else None

        if await self._cluster.find(CONFIG_MAP, names.switch_record(service)) is not None:
            await self._change(service, forgotten)

    async def override(self, service: str) -> Override | None:
        found = (await self._data(service)).get(OVERRIDE)
        return Override.model_validate_json(found) if found is not None else None

    async def write_override(self, override: Override) -> None:
        await self._change(override.service, lambda data: {**data, OVERRIDE: override.to_json()})

    async def clear_override(self, service: str) -> None:
        def cleared(data: dict[str, str]) -> dict[str, str] | None:
            left = {key: value for key, value in data.items() if key != OVERRIDE}
            return left if left != data else None

        if await self._cluster.find(CONFIG_MAP, names.switch_record(service)) is not None:
            await self._change(service, cleared)

    async def note(self, service: str, event: str, message: str, **details: object) -> None:
        """Append to the journal; `details` are further keys in camelCase."""
        await self.append(service, [journal_line(event, message, **details)])

    async def append(self, service: str, lines: Sequence[Mapping[str, object]]) -> None:
        """Append lines that `journal_line` has made."""

        def noted(data: dict[str, str]) -> dict[str, str]:
            return {**data, JOURNAL: appended(data.get(JOURNAL, ""), lines)}

        await self._change(service, noted)

    async def events(self, service: str) -> list[dict[str, Any]]:
        """What the journal still holds, oldest first."""
        return events((await self._data(service)).get(JOURNAL, ""))

    # -- what the runner writes ---------------------------------------------------------------

    async def show(self, run: str, progress: SwitchProgress) -> None:
        await self._write(run, PROGRESS, progress.to_json())

    async def keep_decision(self, run: str, decision: Decision) -> None:
        await self._write(run, DECISION, decision.to_json())

    async def keep_reference(self, run: str, before: Sequence[Snapshot]) -> None:
        content = {REFERENCE: packed([asdict(each) for each in before])}
        await self._cluster.patch(CONFIG_MAP, run, {"binaryData": content})

    async def reference(self, run: str) -> tuple[Snapshot, ...]:
        """What `keep_reference` was last given; empty when nothing was kept."""
        return snapshots(unpacked(await self._cluster.get(CONFIG_MAP, run), REFERENCE) or ())

    async def end(self, run: str, outcome: SwitchOutcome) -> None:
        """Write the outcome. The recording, which is large, has done its work."""
        patch = {"data": {OUTCOME: outcome.to_json()}, "binaryData": {REFERENCE: None}}
        await self._cluster.patch(CONFIG_MAP, run, patch)

    async def end_untouched(
        self, run: SwitchRun, ending: Ending, reason: str, user: str
    ) -> SwitchOutcome:
        """End a run that has moved nothing, past its conductor."""
        outcome = SwitchOutcome.untouched(run.request, ending, reason)
        await self.end(run.name, outcome)
        await self.note(run.request.service, ending.value, reason, run=run.number, user=user)
        return outcome

    # -- details ------------------------------------------------------------------------------

    async def _next_number(self, service: str) -> int:
        def counted(data: dict[str, str]) -> dict[str, str]:
            return {**data, LATEST_RUN: str(int(data.get(LATEST_RUN, "0")) + 1)}

        return int((await self._change(service, counted))[LATEST_RUN])

    async def _forget_old_runs(self, service: str) -> None:
        for run in (await self.runs(service))[KEPT_RUNS:]:
            await self._remove_run(run)

    async def _remove_run(self, run: SwitchRun) -> None:
        await self._cluster.delete(LEASE, run.name)
        await self._cluster.delete(CONFIG_MAP, run.name)

    async def _data(self, service: str) -> dict[str, str]:
        found = await self._cluster.find(CONFIG_MAP, names.switch_record(service))
        return dict((found or {}).get("data") or {})

    async def _change(self, service: str, edit: Edit) -> dict[str, str]:
        name = names.switch_record(service)
        content = config_map(name, names.labels(service, record="switch"), {})
        if await self._cluster.find(CONFIG_MAP, name) is None:
            await self._cluster.ensure(CONFIG_MAP, content)
        return await change(self._cluster, name, edit)

    async def _write(self, run: str, key: str, content: str) -> None:
        await self._cluster.patch(CONFIG_MAP, run, {"data": {key: content}})
