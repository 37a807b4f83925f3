"""`LoadTestGate` of a cluster: a Job decides, the record of the gate keeps the verdict."""

from tidegate.cluster.errors import ClusterError
from tidegate.gate.verdict import Outcome
from tidegate.provider.errors import CancelledOperation, ProviderError
from tidegate.provider.handler import CheckFailure, Created, Diff, Operation, ResourceHandler
from tidegate.provider.kubernetes.access import ClusterAccess, as_provider_error
from tidegate.provider.kubernetes.gate_requests import gate_asked
from tidegate.provider.kubernetes.gate_runs import GateRunError, GateRuns
from tidegate.provider.shared.gate_decisions import may_run_again, refusal
from tidegate.provider.shared.gate_inputs import (
    LoadTestGateInputs,
    LoadTestGateOutputs,
    check_profile,
)
from tidegate.records.gate_documents import VerdictNote
from tidegate.records.gates import GateRecord, GateRun
from tidegate.spec.errors import SpecError


class LoadTestGateHandler(ResourceHandler[LoadTestGateInputs, LoadTestGateOutputs]):
    type_name = "LoadTestGate"
    description = "A load test that decides whether a revision may take traffic."
    inputs_model = LoadTestGateInputs
    outputs_model = LoadTestGateOutputs

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access

    async def check(self, inputs: LoadTestGateInputs) -> list[CheckFailure]:
        return check_profile(inputs)

    async def diff(
        self,
        resource_id: str,
        outputs: LoadTestGateOutputs,
        old: LoadTestGateInputs | None,
        new: LoadTestGateInputs,
    ) -> Diff:
        """A gate that passed stays passed, whatever its role and profile become."""
        if new.revision != resource_id:
            return Diff(replace=("revision",))
        with as_provider_error():
            gate = await self._runs().records.find(resource_id)
            if gate is not None and gate.has_passed:
                passed = outputs.outcome == Outcome.PASS.value
                return Diff() if passed else Diff(changed=("outcome",))
            if new.role == "required":
                return Diff(changed=("role",))
            under_way = gate is not None and await self._runs().under_way(gate) is not None
        return Diff(changed=("role",)) if under_way else Diff()

    async def create(
        self, operation: Operation, inputs: LoadTestGateInputs
    ) -> Created[LoadTestGateOutputs]:
        runs = self._runs()
        try:
            gate = await runs.records.ensure(inputs.service, inputs.revision)
            if inputs.role == "required":
                gate = await self._decide(operation, inputs, gate)
            elif not gate.has_passed and (run := await runs.under_way(gate)) is not None:
                # A killed `up` asked for it, and its promotion has been taken back.
                await runs.cancel(run)
                gate = await runs.records.find(inputs.revision) or gate
        except GateRunError as error:
            again = "has no verdict; the next `pulumi up` runs its gate again"
            raise ProviderError(f"{inputs.revision} {again}. Its runner: {error}") from error
        except (ClusterError, SpecError) as error:
            raise ProviderError(f"{inputs.revision} has no verdict: {error}") from error
        return Created(inputs.revision, _outputs(gate))

    async def read(
        self, resource_id: str, inputs: LoadTestGateInputs | None
    ) -> LoadTestGateOutputs | None:
        with as_provider_error():
            gate = await self._runs().records.find(resource_id)
        return _outputs(gate) if gate is not None else None

    async def delete(
        self, operation: Operation, resource_id: str, outputs: LoadTestGateOutputs
    ) -> None:
        runs = self._runs()
        with as_provider_error():
            gate = await runs.records.find(resource_id)
            if gate is not None and (run := await runs.under_way(gate)) is not None:
                await runs.cancel(run)
            await runs.remove(resource_id)

    # -- deciding -----------------------------------------------------------------------------

    def _runs(self) -> GateRuns:
        return GateRuns(self._access.cluster(), self._access.configuration)

    async def _decide(
        self, operation: Operation, inputs: LoadTestGateInputs, gate: GateRecord
    ) -> GateRecord:
        """Return when the revision has passed; raise with the verdict's own words otherwise."""
        runs, verdict = self._runs(), gate.verdict
        if not gate.has_passed:
            latest = await runs.records.latest(gate.revision)
            run = await runs.under_way(gate)
            if run is not None:
                operation.info(f"the gate of {gate.revision} is already running; following it")
            elif may_run_again(_outcome(verdict), inputs.retry, _used_retry(latest, verdict)):
                asked = await gate_asked(operation, self._access, inputs)
                run = await runs.submit(asked)
            if run is not None:
                verdict = await self._follow(operation, runs, run)
        if verdict is None or verdict.outcome is not Outcome.PASS:
            if verdict is None:
                raise ProviderError(f"{gate.revision} has no verdict")
            raise ProviderError(refusal(inputs, verdict))
        operation.info(verdict.summary)
        return await runs.records.find(gate.revision) or gate

    async def _follow(self, operation: Operation, runs: GateRuns, run: GateRun) -> VerdictNote:
        try:
            return await runs.follow(operation, run)
        except CancelledOperation:
            await runs.cancel(run)
            raise


def _outcome(verdict: VerdictNote | None) -> Outcome | None:
    return verdict.outcome if verdict is not None else None


def _used_retry(latest: GateRun | None, verdict: VerdictNote | None) -> str | None:
    """The reason for which the run began that the verdict is from."""
    if latest is None or verdict is None or latest.request.digest != verdict.request_digest:
        return None
    return latest.request.retry_reason


def _outputs(gate: GateRecord) -> LoadTestGateOutputs:
    verdict = gate.verdict
    if verdict is None or not gate.has_passed:
        return LoadTestGateOutputs.not_run(gate.nonce)
    return LoadTestGateOutputs(
        outcome=verdict.outcome.value,
        summary=verdict.summary,
        evidence=verdict.evidence_path or "",
        report=verdict.report_path or "",
        nonce=gate.nonce,
    )
