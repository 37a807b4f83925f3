"""A project on disk whose stack `test` has a gateway and servers that are stand-ins."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from tests.unit.commands.users_port import UsersPort
from tests.unit.provider.stand_ins import StackOnStandIns
from tidegate.cli import app
from tidegate.gate.verdict import Outcome
from tidegate.local.slot_record import SlotRecord
from tidegate.local.state_folder import StateFolder
from tidegate.spec.release import load_release
from tidegate.spec.revision import Probes, Revision
from tidegate.traffic.routes import ServiceRoutes

REPOSITORY = Path(__file__).parents[3]


@dataclass
class Scene:
    """digits@2 is live and digits@1 stands by; both have passed their gates."""

    root: Path
    stack: StackOnStandIns
    users: UsersPort

    @property
    def stack_file(self) -> Path:
        return self.root / "stacks" / "Pulumi.test.yaml"

    @property
    def declared(self) -> tuple[str, str | None]:
        digits = yaml.safe_load(self.stack_file.read_text())["config"]["tidegate:services"][
            "digits"
        ]
        return digits["release"], digits.get("standby")

    def declare(self, release: str, standby: str | None) -> None:
        digits = {"release": release, **({} if standby is None else {"standby": standby})}
        content = {"config": {"tidegate:services": {"digits": digits}}}
        self.stack_file.write_text(yaml.safe_dump(content))

    def revision(self, release: str) -> str:
        loaded = load_release(self.root / "serving", "digits", release)
        return Revision(platform="local", release=loaded, probes=Probes()).id

    def route(self, **weights: int) -> None:
        """Routes by release: `_1=100` sends everything to digits@1."""
        routes = ServiceRoutes(
            "digits",
            ("digits",),
            {self.revision(name.removeprefix("_")): weight for name, weight in weights.items()},
            30.0,
        )
        asyncio.run(self.stack.router().apply(routes))

    def weights(self) -> dict[str, int]:
        routes = self.stack.recorded_routes("digits")
        assert routes is not None
        return {self._release(name): weight for name, weight in routes.weights.items()}

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--stack", "test"])

    def _release(self, revision: str) -> str:
        return revision.split("-")[1]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    root = tmp_path / "project"
    (root / "stacks").mkdir(parents=True)
    (root / "Pulumi.yaml").touch()
    (root / "serving" / "releases").mkdir(parents=True)
    source = REPOSITORY / "serving" / "releases" / "digits"
    shutil.copytree(source, root / "serving" / "releases" / "digits")
    monkeypatch.chdir(root)
    stack = StackOnStandIns(StateFolder(root / ".tidegate" / "test"))
    users = UsersPort()
    found = Scene(root, stack, users)
    found.declare("digits@2", "digits@1")
    revisions = {name: found.revision(name) for name in ("1", "2")}
    asyncio.run(stack.start_gateway(*revisions.values()))
    users.serve(stack)
    for name, revision in revisions.items():
        stack.add_server(revision)
        stack.decide(revision, Outcome.PASS)
        record = SlotRecord(revision, "digits", name, (("digits", name),), 1, 2, 3, "now")
        users.write_slot(stack, record)
    found.route(_2=100, _1=0)
    yield found
    users.stop()
    stack.end()
