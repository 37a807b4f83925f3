"""Faults on demand: which call goes wrong, and how."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tests.cloud.harness.cloud_store import CloudStore
from tidegate.files import write_json

Action = Literal["create", "update", "delete", "read"]
Effect = Literal["refuse", "unhealthy", "delay", "delayAnswer", "lose", "loseAnswer"]


@dataclass(frozen=True)
class Fault:
    """`name` (in the program) and `type` pick the call; empty picks all.

    Effects: `refuse` an error, nothing is made; `unhealthy` it is made, then an error says that it
    does not work; `delay` waits for `seconds` or until `release`, `delayAnswer` waits after it is
    made; `lose` the plugin dies before anything is made, `loseAnswer` after it. The fault happens
    `times` times.
    """

    action: Action
    effect: Effect
    type: str = ""
    name: str = ""
    seconds: float = 0
    times: int = 1
    message: str = "InsufficientInstanceCapacity: there is no more capacity in the zone"


def set_faults(store: CloudStore, faults: Sequence[Fault]) -> None:
    """Replace all faults; what has happened so far no longer counts."""
    _release(store).unlink(missing_ok=True)
    _write(store, faults)


def release(store: CloudStore) -> None:
    """End every wait, also those to come, until faults are set anew."""
    _release(store).touch()


def is_released(store: CloudStore) -> bool:
    return _release(store).exists()


def faults_left(store: CloudStore) -> list[Fault]:
    """Faults that have not happened as often as they should."""
    return [each for each in _faults(store) if each.times > 0]


def take_fault(store: CloudStore, action: str, type_token: str, name: str) -> Fault | None:
    """The fault that happens to this call, counted down in the file."""
    faults = _faults(store)
    for number, fault in enumerate(faults):
        meant = fault.type in ("", type_token) and fault.name in ("", name)
        if meant and fault.action == action and fault.times > 0:
            counted = Fault(**{**asdict(fault), "times": fault.times - 1})
            _write(store, [*faults[:number], counted, *faults[number + 1 :]])
            return fault
    return None


def _write(store: CloudStore, faults: Sequence[Fault]) -> None:
    write_json(store.faults_file, [asdict(each) for each in faults])


def _release(store: CloudStore) -> Path:
    return store.faults_file.with_name("released")


def _faults(store: CloudStore) -> list[Fault]:
    if not store.faults_file.exists():
        return []
    return [Fault(**each) for each in json.loads(store.faults_file.read_text())]
