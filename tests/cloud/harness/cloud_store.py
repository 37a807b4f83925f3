"""The cloud: a folder with a file for each thing in it, and a log of what was asked of it."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.engine.harness.waiting import wait_for
from tidegate.files import read_json, write_json


@dataclass(frozen=True)
class CloudObject:
    """One thing in the cloud. `name` is the resource's name in the program that made it."""

    id: str
    type: str
    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        return self.type, self.id

    @property
    def tags(self) -> dict[str, str]:
        """Tags of AWS, labels of Google Cloud."""
        found = self.inputs.get("tags") or self.inputs.get("labels") or {}
        return {str(name): str(value) for name, value in found.items()}


@dataclass(frozen=True)
class Operation:
    """One call of the engine: `phase` is "begin" or "end"; `action` as in rules of faults."""

    phase: str
    action: str
    type: str
    name: str
    id: str = ""
    at: float = field(default_factory=time.time)


class CloudStore:
    """Written by the plugins' processes, read by tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "objects").mkdir(parents=True, exist_ok=True)

    # -- things -------------------------------------------------------------------------------

    def put(self, thing: CloudObject) -> None:
        write_json(self._path(thing.key), asdict(thing))

    def get(self, type_token: str, object_id: str) -> CloudObject | None:
        path = self._path((type_token, object_id))
        try:
            return CloudObject(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None

    def remove(self, type_token: str, object_id: str) -> None:
        self._path((type_token, object_id)).unlink(missing_ok=True)

    def replace(self, things: Iterable[CloudObject]) -> None:
        """Have these things and no others."""
        for path in (self.folder / "objects").glob("*.json"):
            path.unlink()
        for each in things:
            self.put(each)

    def objects(self, type_token: str = "") -> list[CloudObject]:
        """Everything there is, or everything of a type, by type and name."""
        found = [
            CloudObject(**json.loads(path.read_text()))
            for path in (self.folder / "objects").glob("*.json")
        ]
        return sorted(
            (each for each in found if type_token in ("", each.type)),
            key=lambda each: (each.type, each.name, each.id),
        )

    def orphans(self, resources: Iterable[Mapping[str, Any]]) -> list[CloudObject]:
        """What is in the cloud and in no recorded resource of the engine."""
        known = {(each["type"], each.get("id")) for each in resources}
        return [each for each in self.objects() if each.key not in known]

    # -- operations ---------------------------------------------------------------------------

    def log(self, operation: Operation) -> None:
        line = json.dumps(asdict(operation)) + "\n"
        handle = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def operations(self) -> list[Operation]:
        if not self._log.exists():
            return []
        lines = self._log.read_text().splitlines()
        return [Operation(**json.loads(line)) for line in lines]

    def creations(self, type_token: str, name: str) -> int:
        """How often a resource of this name was created so far."""
        wanted = ("begin", "create", type_token, name)
        return sum(
            (each.phase, each.action, each.type, each.name) == wanted for each in self.operations()
        )

    def wait_for(
        self, meant: Callable[[Operation], bool], seen: int = 0, timeout: float = 120
    ) -> Operation:
        """Wait for an operation after the first `seen` ones."""

        def found() -> Operation | None:
            return next((each for each in self.operations()[seen:] if meant(each)), None)

        return wait_for("an operation on the cloud", found, timeout)

    # -- what the cloud tells -----------------------------------------------------------------

    def give(self, type_token: str, outputs: Mapping[str, str]) -> None:
        """From now on things of this type have these outputs, nested ones by their last name."""
        write_json(self._given, {**self.given(), type_token: dict(outputs)})

    def given(self) -> dict[str, dict[str, str]]:
        """Outputs by type of thing."""
        return dict(read_json(self._given) or {})

    # -- faults -------------------------------------------------------------------------------

    @property
    def faults_file(self) -> Path:
        return self.folder / "faults.json"

    @property
    def _given(self) -> Path:
        return self.folder / "given.json"

    @property
    def _log(self) -> Path:
        return self.folder / "operations.jsonl"

    def _path(self, key: tuple[str, str]) -> Path:
        digest = hashlib.sha256("\n".join(key).encode()).hexdigest()[:24]
        return self.folder / "objects" / f"{digest}.json"
