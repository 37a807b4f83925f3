"""What the users of a benchmark's switches send; apart from what sends it, which imports Locust."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SwitchUsers:
    """`releases` maps revisions to releases of the service. `target` is what requests name as their
    host; with `addresses` (host:port) connections go to these in turn, as a resolver would say."""

    target: str
    serving_root: str
    service: str
    releases: dict[str, str]
    rate_per_second: float
    seconds: float
    deadline_seconds: float
    seed: int
    result: str
    addresses: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> "SwitchUsers":
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))
