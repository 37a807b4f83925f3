"""What the runner and its workers tell each other."""

from pydantic import Field

from tidegate.gate.document import Document


class WorkerPlan(Document):
    """What every worker of a run is told. `rate_factors` are by arm; `agreeing` lists the golden
    examples whose labels must agree, None when values are compared."""

    workers: int = Field(ge=1)
    rate_factors: dict[int, float]
    agreeing: tuple[int, ...] | None = None


class WorkerReport(Document):
    """`rows` rows are in the file; everything due before `settled_seconds` is among them (None:
    everything). `first_errors` are by arm and kind."""

    state: str
    rows: int
    settled_seconds: float | None
    sent: int
    done: int
    errors: int
    cpu_seconds: float
    first_errors: dict[int, dict[str, str]]
    revisions: tuple[str, ...]
