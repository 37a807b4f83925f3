"""Moments of a switch that takes its time: every stage of every strategy."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.benchmarks.kill_matrix.moments import Moment, Promotion
from tests.benchmarks.kill_matrix.scene import Scene

ERRORS_ALONE = {"errorRate": 0.05, "latency": {}}
"""Latencies need longer stages than a matrix of dozens of accidents can wait for."""

CANARY: Mapping[str, Any] = {
    "switch": {
        "strategy": "canary",
        "steps": [{"weight": 30, "seconds": 3}, {"weight": 60, "seconds": 3}],
        "bakeSeconds": 4,
        "maxRegression": ERRORS_ALONE,
        "minimumRequests": 100,
        "patience": 20,
    }
}
ALL_AT_ONCE: Mapping[str, Any] = {"switch": {"bakeSeconds": 4, "maxRegression": ERRORS_ALONE}}


def switch_moments() -> tuple[Moment, ...]:
    return (
        Moment("canary at 30%", Promotion.REPLACE, _at_weight(30), CANARY),
        Moment("canary at 60%", Promotion.SWAP, _at_weight(60), CANARY),
        Moment("canary bakes", Promotion.REPLACE, _bakes, CANARY),
        Moment("all at once bakes", Promotion.SWAP, _bakes, ALL_AT_ONCE),
    )


def _at_weight(weight: int) -> Callable[[Scene], bool]:
    """Whether the new revision has this share of the traffic."""
    return lambda scene: scene.project.weights().get(scene.new) == weight


def _bakes(scene: Scene) -> bool:
    stage = _progress(scene).get("stage") or {}
    return bool(stage.get("kind") == "bake" and scene.project.weights().get(scene.new) == 100)


def _progress(scene: Scene) -> dict[str, Any]:
    """What the newest run of the service's switch says about itself."""
    runs = sorted(scene.project.state_folder.glob("switches/*/runs/*/progress.json"))
    for path in reversed(runs):
        try:
            progress: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if progress.get("to") == scene.new:
            return progress
    return {}
