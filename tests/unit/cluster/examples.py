"""A switch and a gate as the provider asks for them."""

from tests.unit.gate.builders import make_short_profile
from tests.unit.gate.kserve_fake import SIGNATURE
from tests.unit.traffic.conducting import BEFORE, CANARY, NEW, OLD, TARGET
from tidegate.gate.request import GateRequest
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.release import Tolerance
from tidegate.traffic.plan import plan
from tidegate.traffic.switch_documents import Ending, SwitchOutcome
from tidegate.traffic.switch_history import SwitchPlan

GATEWAY = GatewayReference(namespace="edge", name="tidegate", http_section="http")
PLAN = SwitchPlan(
    routes_before=BEFORE,
    stages=plan(BEFORE, TARGET, CANARY, served_before=False),
    strategy=CANARY,
    from_revision=OLD,
    to_revision=NEW,
    drain_seconds=5,
    retry_reason=None,
)
DIGEST = "sha256:" + "0" * 64


def outcome(ending: Ending, was_shown: bool = False) -> SwitchOutcome:
    return SwitchOutcome(
        service="digits",
        run=1,
        from_revision=OLD,
        to_revision=NEW,
        ending=ending,
        reason="said so",
        was_shown=was_shown,
        stage=1,
        of=3,
        judgement=None,
        candidate_requests=0,
        candidate_errors=0,
        drained=None,
        at="2026-11-23T01:00:00Z",
    )


OUTCOME = outcome(Ending.ADVANCED)


def gate_request(revision: str) -> GateRequest:
    return GateRequest(
        environment="test",
        service="digits",
        revision=revision,
        release="2",
        targets="cluster",
        http_target=f"{revision}.team-a.svc:8000",
        grpc_target=f"{revision}.team-a.svc:8001",
        signature=SIGNATURE,
        golden_path="golden.npz",
        golden_sha256=DIGEST,
        tolerance=Tolerance(absolute=1e-6, relative=1e-6),
        profile=make_short_profile(),
        subject_digests={"release/digits/2": DIGEST},
        evidence_dir="s3://evidence",
        lock_path="gate.lock",
        lease_seconds=30,
    )
