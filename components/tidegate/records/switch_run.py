"""One run of a switch, as its ConfigMap holds it."""

from dataclasses import dataclass

from tidegate.cluster.client import Object
from tidegate.records.config_map import text
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.traffic.conductor_parts import Position
from tidegate.traffic.switch_documents import (
    Decision,
    Ending,
    SwitchOutcome,
    SwitchProgress,
    SwitchRequest,
)

REQUEST = "request.json"
GATEWAY = "gateway.json"
PROGRESS = "progress.json"
DECISION = "decision.json"
REFERENCE = "reference.json.gz"
OUTCOME = "outcome.json"
RESTARTS = "restarts"


@dataclass(frozen=True)
class SwitchRun:
    """`switch.<service>.<run>`. Its Job is `names.switch_job(service, number, restarts)`."""

    name: str
    number: int
    request: SwitchRequest
    gateway: GatewayReference
    progress: SwitchProgress | None
    decision: Decision | None
    outcome: SwitchOutcome | None
    restarts: int

    @property
    def position(self) -> Position:
        """Where a conductor that takes the run up begins or goes on."""
        return Position.after(self.progress, self.decision)

    @property
    def may_have_moved(self) -> bool:
        """Whether a conductor got so far; it writes its progress before it moves anything."""
        return self.progress is not None

    @property
    def is_in_force(self) -> bool:
        """Whether every Envoy has confirmed the routes that the run goes to."""
        if self.outcome is not None:
            return self.outcome.ending is Ending.ADVANCED
        return (
            self.decision is None
            and self.progress is not None
            and self.progress.state == "draining"
        )


def parse_run(record: Object) -> SwitchRun:
    """The run that its ConfigMap holds."""
    progress, decision = text(record, PROGRESS), text(record, DECISION)
    outcome = text(record, OUTCOME)
    request = SwitchRequest.model_validate_json(text(record, REQUEST) or "")
    return SwitchRun(
        name=record["metadata"]["name"],
        number=request.run,
        request=request,
        gateway=GatewayReference.model_validate_json(text(record, GATEWAY) or ""),
        progress=SwitchProgress.model_validate_json(progress) if progress else None,
        decision=Decision.model_validate_json(decision) if decision else None,
        outcome=SwitchOutcome.model_validate_json(outcome) if outcome else None,
        restarts=int(text(record, RESTARTS) or 0),
    )
