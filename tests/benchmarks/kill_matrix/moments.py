"""Ten moments of a promotion, recognised by what has been written down, never by the clock."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.benchmarks.kill_matrix.scene import Scene
from tidegate.gate.journal import read_events

PATIENCE_SECONDS = 90.0


class Promotion(StrEnum):
    """Where the new release comes from and what becomes of the old one."""

    SWAP = "swap"
    """The standby takes the traffic, the old release stands by."""
    REPLACE = "replace"
    """The new release gets a slot, the old one loses its own."""


@dataclass(frozen=True)
class Moment:
    name: str
    promotion: Promotion
    has_come: Callable[[Scene], bool]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the service declares besides its releases."""


class MomentMissedError(Exception):
    """The `up` ended before the moment was seen."""


def wait_for_moment(moment: Moment, scene: Scene, poll_seconds: float) -> None:
    """Raises MomentMissedError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not moment.has_come(scene):
        if not scene.command.is_running or time.monotonic() > deadline:
            raise MomentMissedError(f"{moment.name} was not seen:\n{scene.command.output}")
        time.sleep(poll_seconds)


def _provider_started(scene: Scene) -> bool:
    return scene.command.provider_pid() is not None


def _slot_recorded(scene: Scene) -> bool:
    return scene.project.local.slots.record(scene.new) is not None


def _triton_started(scene: Scene) -> bool:
    return scene.runs(scene.new)


def _gate_submitted(scene: Scene) -> bool:
    return scene.project.local.gates.latest(scene.new) is not None


def _under_load(scene: Scene) -> bool:
    return any(each.get("sent") for each in _gate_events(scene))


def _load_nearly_over(scene: Scene) -> bool:
    return any(
        each.get("phase") == "load" and each["secondsLeft"] <= 1 for each in _gate_events(scene)
    )


def _verdict_written(scene: Scene) -> bool:
    return scene.project.local.gates.passing(scene.new) is not None


def _routes_written(scene: Scene) -> bool:
    return scene.project.weights().get(scene.new) == 100


def _old_gate_gone(scene: Scene) -> bool:
    return not scene.project.local.gates.exists(scene.old)


def _old_slot_leaves(scene: Scene) -> bool:
    servers = scene.project.local.gateway.discovery.servers()
    return all(server.revision != scene.old for server in servers)


def _gate_events(scene: Scene) -> list[dict[str, Any]]:
    run = scene.project.local.gates.latest(scene.new)
    return read_events(run.folder / "journal.jsonl")[0] if run is not None else []


def moments() -> tuple[Moment, ...]:
    """In the order of a promotion, for each way to promote."""
    return (
        Moment("provider started", Promotion.SWAP, _provider_started),
        Moment("gate submitted", Promotion.SWAP, _gate_submitted),
        Moment("gate under load", Promotion.SWAP, _under_load),
        Moment("verdict written", Promotion.SWAP, _verdict_written),
        Moment("routes written", Promotion.SWAP, _routes_written),
        Moment("slot recorded", Promotion.REPLACE, _slot_recorded),
        Moment("Triton started", Promotion.REPLACE, _triton_started),
        Moment("gate's load nearly over", Promotion.REPLACE, _load_nearly_over),
        Moment("old gate deleted", Promotion.REPLACE, _old_gate_gone),
        Moment("old slot leaves the gateway", Promotion.REPLACE, _old_slot_leaves),
    )
