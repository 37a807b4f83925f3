"""The targets of a request: how each is reached and what its answers must be."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tidegate.gate.answers import AnswerChecker
from tidegate.gate.protocols.base import WireProtocol
from tidegate.gate.protocols.catalogue import protocol_codes, protocols_for
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.request import GateRequest
from tidegate.gate.samples import BASELINE_ARM, CANDIDATE_ARM
from tidegate.gate.schedule import ArmPlan
from tidegate.spec.errors import SpecError
from tidegate.spec.golden import GoldenData, load_golden
from tidegate.spec.release import Tolerance
from tidegate.spec.signature import ModelSignature


@dataclass(frozen=True)
class Arm:
    """One target. `checks_values` is False for a baseline without a golden set of its own."""

    code: int
    revision: str
    http: Endpoint
    grpc: Endpoint | None
    metrics_target: str | None
    signature: ModelSignature
    golden: GoldenData
    tolerance: Tolerance
    checks_values: bool
    streaming: bool

    def protocols(self) -> list[WireProtocol]:
        """The caller closes them. Raises SpecError when a key or certificate cannot be read."""
        return protocols_for(
            self.http, self.grpc, self.signature, self.golden, streaming=self.streaming
        )

    def checker(self, agreeing: Collection[int] | None = None) -> AnswerChecker:
        """`agreeing`: examples whose label must agree, when labels decide instead of values."""
        return AnswerChecker(
            self.signature,
            self.golden,
            self.tolerance,
            checks_values=self.checks_values,
            labels_of=agreeing,
        )

    def plan(self, rate_factor: float = 1.0) -> ArmPlan:
        codes = protocol_codes(grpc=self.grpc is not None, streaming=self.streaming)
        return ArmPlan(self.code, codes, rate_factor)


def arms_of(request: GateRequest) -> list[Arm]:
    """The candidate, and the baseline when there is one.

    Raises SpecError when a golden set is unusable.
    """
    golden = load_golden(Path(request.golden_path), request.signature)
    candidate = Arm(
        code=CANDIDATE_ARM,
        revision=request.revision,
        http=_endpoint(request, request.http_target),
        grpc=None if request.grpc_target is None else _endpoint(request, request.grpc_target),
        metrics_target=request.metrics_target,
        signature=request.signature,
        golden=golden,
        tolerance=request.tolerance,
        checks_values=True,
        streaming=request.grpc_streaming,
    )
    baseline = request.baseline
    if baseline is None:
        return [candidate]
    if (baseline.grpc_target is None) != (request.grpc_target is None):
        raise SpecError(
            "baseline.grpcTarget",
            baseline.grpc_target,
            "both arms must be asked over the same protocols, or the comparison compares protocols",
            "grpcTarget for both revisions, or for neither",
        )
    signature = request.signature.model_copy(update={"version": baseline.model_version})
    own = None
    if baseline.golden_path is not None:
        own = load_golden(Path(baseline.golden_path), signature)
        _check_same_inputs(golden, own, baseline.golden_path)
    grpc = baseline.grpc_target
    return [
        candidate,
        replace(
            candidate,
            code=BASELINE_ARM,
            revision=baseline.revision,
            http=_endpoint(request, baseline.http_target),
            grpc=None if grpc is None else _endpoint(request, grpc),
            metrics_target=baseline.metrics_target,
            signature=signature,
            golden=own or golden,
            tolerance=baseline.tolerance or request.tolerance,
            checks_values=own is not None,
        ),
    ]


def _endpoint(request: GateRequest, target: str) -> Endpoint:
    return Endpoint(target, request.tls, request.api_key)


def _check_same_inputs(golden: GoldenData, own: GoldenData, path: str) -> None:
    same = golden.count == own.count and all(
        np.array_equal(array, own.inputs[name]) for name, array in golden.inputs.items()
    )
    if not same:
        raise SpecError(
            "baseline.goldenPath",
            path,
            "its inputs differ from the candidate's, and both arms must be asked the same",
            "a golden set of the same inputs, or none",
        )
