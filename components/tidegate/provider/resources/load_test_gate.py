"""`LoadTestGate`: exists only when a load test has passed the revision, or when none was asked."""

import asyncio
from pathlib import Path

from tidegate.gate.locking import default_lock_path
from tidegate.gate.profile import parse_profile
from tidegate.gate.request import Baseline, GateRequest
from tidegate.gate.verdict import Outcome, Verdict
from tidegate.local.gate_runs import LEASE_SECONDS, GateRun, GateRunError
from tidegate.local.stack import LocalStack
from tidegate.local.supervision import SupervisionError
from tidegate.provider.errors import CancelledOperation, ProviderError
from tidegate.provider.handler import (
    CheckFailure,
    Created,
    Diff,
    Operation,
    ResourceHandler,
)
from tidegate.provider.shared.gate_decisions import may_run_again, refusal, subject_digests
from tidegate.provider.shared.gate_inputs import (
    LoadTestGateInputs,
    LoadTestGateOutputs,
    check_profile,
)
from tidegate.provider.shared.release_files import declared_release
from tidegate.spec.errors import SpecError


class LoadTestGateHandler(ResourceHandler[LoadTestGateInputs, LoadTestGateOutputs]):
    type_name = "LoadTestGate"
    description = "A load test that decides whether a revision may take traffic."
    inputs_model = LoadTestGateInputs
    outputs_model = LoadTestGateOutputs

    def __init__(self, stack: LocalStack, environment: str, evidence: str | None) -> None:
        """`evidence`: address of the store of evidence and attempts; None: the stack's folder."""
        self._stack = stack
        self._environment = environment
        self._evidence = evidence or str(stack.folder.evidence)

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
        passed = self._stack.gates.passing(resource_id) is not None
        if not passed and (new.role == "required" or await self._is_running(resource_id)):
            return Diff(changed=("role",))
        if passed and outputs.outcome != Outcome.PASS.value:
            return Diff(changed=("outcome",))
        return Diff()

    async def create(
        self, operation: Operation, inputs: LoadTestGateInputs
    ) -> Created[LoadTestGateOutputs]:
        nonce = self._stack.gates.ensure(inputs.revision)
        try:
            if inputs.role == "required":
                await self._decide(operation, inputs)
            elif await self._is_running(inputs.revision):
                # A killed `up` asked for it, and its promotion has been taken back.
                await self._stack.gates.cancel(inputs.revision)
        except GateRunError as error:
            again = "has no verdict; the next `pulumi up` runs its gate again"
            raise ProviderError(f"{inputs.revision} {again}. Its runner: {error}") from error
        except (SpecError, SupervisionError) as error:
            raise ProviderError(f"{inputs.revision} has no verdict: {error}") from error
        return Created(inputs.revision, self._outputs(inputs.revision, nonce))

    async def read(
        self, resource_id: str, inputs: LoadTestGateInputs | None
    ) -> LoadTestGateOutputs | None:
        if not self._stack.gates.exists(resource_id):
            return None
        return self._outputs(resource_id, self._stack.gates.ensure(resource_id))

    async def delete(
        self, operation: Operation, resource_id: str, outputs: LoadTestGateOutputs
    ) -> None:
        try:
            await self._stack.gates.remove(resource_id)
        except SupervisionError as error:
            raise ProviderError(str(error)) from error

    # -- deciding -----------------------------------------------------------------------------

    async def _decide(self, operation: Operation, inputs: LoadTestGateInputs) -> None:
        """Return when the revision has passed; raise with the verdict's own words otherwise."""
        gates = self._stack.gates
        latest, decided = gates.latest(inputs.revision), gates.decided(inputs.revision)
        verdict = decided.verdict if decided is not None else None
        if latest is not None and latest.verdict is None and gates.is_running(inputs.revision):
            operation.info(f"the gate of {inputs.revision} is already running; following it")
            verdict = await self._follow(operation, latest, inputs.revision)
        elif verdict is None or may_run_again(verdict.outcome, inputs.retry, _used_retry(decided)):
            run = await gates.submit(self._request(inputs))
            verdict = await self._follow(operation, run, inputs.revision)
        if verdict.outcome is not Outcome.PASS:
            raise ProviderError(refusal(inputs, verdict))
        operation.info(verdict.summary)

    async def _is_running(self, revision: str) -> bool:
        return await asyncio.to_thread(self._stack.gates.is_running, revision)

    async def _follow(self, operation: Operation, run: GateRun, revision: str) -> Verdict:
        try:
            return await self._stack.gates.follow(run, revision, operation.sleep, operation.status)
        except CancelledOperation:
            await self._stack.gates.cancel(revision)
            raise

    def _request(self, inputs: LoadTestGateInputs) -> GateRequest:
        """Raises SpecError for a manifest that is not the one declared."""
        root = Path(inputs.serving_root)
        release = declared_release(root, inputs.service, inputs.release, inputs.release_digest)
        repository = self._stack.slots.repository(inputs.revision)
        profile = parse_profile(inputs.profile, "profile")
        return GateRequest(
            environment=self._environment,
            service=inputs.service,
            revision=inputs.revision,
            release=inputs.release,
            http_target=inputs.http_target,
            grpc_target=inputs.grpc_target,
            metrics_target=inputs.metrics_target,
            signature=release.model,
            golden_path=str(root / release.golden.path),
            golden_sha256=release.golden.sha256,
            tolerance=release.golden.tolerance,
            profile=profile,
            baseline=self._baseline(inputs) if profile.comparison_margins else None,
            subject_digests=subject_digests(release),
            watched_files={
                str(repository / name): digest for name, digest in release.repository.files.items()
            },
            evidence_dir=self._evidence,
            lock_path=str(default_lock_path()),
            lease_seconds=LEASE_SECONDS,
            retry_reason=inputs.retry,
        )

    def _baseline(self, inputs: LoadTestGateInputs) -> Baseline | None:
        """The revision that takes the traffic now; None when none does, or only this one."""
        routes = self._stack.recorded_routes(inputs.service)
        live = routes.live_revision if routes is not None else None
        slot = self._stack.slots.record(live) if live not in {None, inputs.revision} else None
        if slot is None:
            return None
        return Baseline(
            revision=slot.revision,
            why=f"it takes the traffic of {inputs.service} while this gate runs",
            http_target=slot.http_target,
            grpc_target=slot.grpc_target,
            metrics_target=slot.metrics_target,
            model_version=slot.models[0][1],
        )

    def _outputs(self, revision: str, nonce: str) -> LoadTestGateOutputs:
        verdict = self._stack.gates.passing(revision)
        if verdict is None:
            return LoadTestGateOutputs.not_run(nonce)
        return LoadTestGateOutputs(
            outcome=verdict.outcome.value,
            summary=verdict.summary,
            evidence=verdict.evidence_path or "",
            report=verdict.report_path or "",
            nonce=nonce,
        )


def _used_retry(run: GateRun | None) -> str | None:
    """The reason for which the run began."""
    return run.request.retry_reason if run is not None and run.request is not None else None
