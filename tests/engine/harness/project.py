"""A copy of the project with a stack of its own, driven through the real pulumi."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.engine.harness.command import Command, Run
from tests.engine.harness.inference import InferenceClient
from tests.engine.harness.processes import kill_all
from tests.engine.harness.releases import SERVICE, publish_variant
from tests.engine.harness.toolchain_environment import REPOSITORY, VENV, pulumi_environment
from tests.engine.harness.waiting import wait_for
from tidegate.gate.attempts import Attempt, attempts_in, attempts_path
from tidegate.gate.journal import read_events
from tidegate.local.stack import LocalStack
from tidegate.local.state_folder import StateFolder
from tidegate.spec.release import load_release
from tidegate.spec.revision import Probes, Revision
from tidegate.traffic.switch_documents import SwitchOutcome

STACK = "test"
COPIED = ("Pulumi.yaml", "infra", "stacks", "serving", "loadtests")
UNDECIDED = "Nothing was decided: the next `pulumi up` runs the gate again."
UNDECIDED_RETRIES = 5

# The shipped profiles' code path in about five seconds. 300 requests are enough for both limits
# in a ninth attempt as well; the SLO lets the generator be a second late beside other work.
FAST_PROFILE: Mapping[str, Any] = {
    "name": "test",
    "description": "A few seconds on the same code path as the shipped profiles.",
    "arrival": "constant",
    "ratePerSecond": 100,
    "durationSeconds": 3,
    "warmUpSeconds": 0.5,
    "deadlineSeconds": 30,
    "slos": {"p95": 20000},
    "maxErrorRate": 0.05,
    "comparisonMargins": {},
    "confidence": 0.95,
    "seed": 20261122,
    "maxRequests": 20000,
}
STRICT_PROFILE = {
    **FAST_PROFILE,
    "name": "test-strict",
    "deadlineSeconds": 4,
    "slos": {"p95": 2000},
}
"""For releases that are slow or hang. Its generator may be only 100 ms late, so on a machine with
other work it decides less often."""
LONG_PROFILE = {**FAST_PROFILE, "name": "test-long", "durationSeconds": 120}
"""For gates that something is to happen to while they send."""
PROFILES = (FAST_PROFILE, STRICT_PROFILE, LONG_PROFILE)


class Project:
    """One project folder, one file backend, one stack named `test`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._log_count = 0
        self._release_count = 0
        self._settled: str | None = None
        root.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=ignored)
            else:
                shutil.copyfile(source, root / name)
        (root / ".venv").symlink_to(VENV)
        (root / "logs").mkdir()
        self.environment = pulumi_environment(root / "pulumi-home", root / "backend")
        for profile in PROFILES:
            path = root / "loadtests" / "profiles" / f"{profile['name']}.yaml"
            path.write_text(yaml.safe_dump(dict(profile)), encoding="utf-8")
        self.declare({})
        self.pulumi("stack", "init", STACK)

    # -- what is declared ---------------------------------------------------------------------

    @property
    def stack_file(self) -> Path:
        return self.root / "stacks" / f"Pulumi.{STACK}.yaml"

    @property
    def serving_root(self) -> Path:
        return self.root / "serving"

    def declare(
        self, services: Mapping[str, Any], platform: Mapping[str, Any] | None = None
    ) -> None:
        """Write the stack file. Keys of our own settings are written as users write them."""
        shipped = yaml.safe_load((REPOSITORY / "stacks" / "Pulumi.local.yaml").read_text())
        shipped["config"] = {
            "pulumi:disable-default-providers": ["tidegate"],
            "tidegate:platform": {"local": {}} if platform is None else dict(platform),
            "tidegate:services": dict(services),
        }
        self.stack_file.write_text(yaml.safe_dump(shipped, sort_keys=False), encoding="utf-8")

    def declare_digits(self, release: str, standby: str | None = None, **settings: Any) -> None:
        """Declare the digits service by release names: "1" is digits@1; under the fast profile.

        `settings` are the service's others, or replace those.
        """
        service: dict[str, Any] = {"release": f"{SERVICE}@{release}", "gate": {"profile": "test"}}
        if standby is not None:
            service["standby"] = f"{SERVICE}@{standby}"
        self.declare({SERVICE: {**service, **settings}})

    def new_release(self, mutate: Callable[[str], str] | None = None) -> str:
        """Publish a release under a number of its own, like digits@1 but for `mutate`."""
        self._release_count += 1
        name = str(100 + self._release_count)
        publish_variant(self.serving_root, name, mutate=mutate)
        return name

    def revision(self, release: str, **probes: float) -> str:
        """Id of the revision that a release becomes here."""
        loaded = load_release(self.serving_root, SERVICE, release)
        return Revision(platform="local", release=loaded, probes=Probes(**probes)).id

    # -- pulumi -------------------------------------------------------------------------------

    def start(self, *arguments: str) -> Command:
        """Start pulumi on the stack and return at once."""
        self._settled = None
        self._log_count += 1
        log = self.root / "logs" / f"{self._log_count:03d}-{arguments[0]}.log"
        return Command(
            (*arguments, "--non-interactive", "--color", "never"), self.root, self.environment, log
        )

    def pulumi(self, *arguments: str) -> Run:
        """Run pulumi to its end. Raises AssertionError with the output when it fails."""
        run = self.start(*arguments).wait()
        assert run.succeeded, run.output
        return run

    def start_up(self, *, continue_on_error: bool = False) -> Command:
        extra = ["--continue-on-error"] if continue_on_error else []
        return self.start("up", "--yes", "--skip-preview", "--stack", STACK, *extra)

    def up(self, *, expect_failure: bool = False, continue_on_error: bool = False) -> Run:
        """`pulumi up`. A gate that decided nothing is asked again, as its message says.

        Raises AssertionError with the output when the outcome is not the expected one.
        """
        declared = self.stack_file.read_text(encoding="utf-8")
        for _ in range(UNDECIDED_RETRIES):
            run = self.start_up(continue_on_error=continue_on_error).wait()
            if UNDECIDED not in run.output:
                break
        assert run.succeeded is not expect_failure, run.output
        assert "Traceback" not in run.output, run.output
        self._settled = declared if run.succeeded else None
        return run

    def start_canary(self, revision: str, weight: int) -> Command:
        """Start `up` and wait until the revision has this share of the traffic.

        A gate that decided nothing, as on a busy machine, is asked again.
        """
        for _ in range(UNDECIDED_RETRIES):
            update = self.start_up()
            self._wait_for_canary(update, revision, weight)
            if UNDECIDED not in update.output:
                break
        assert update.is_running, update.output
        return update

    def _wait_for_canary(self, update: Command, revision: str, weight: int) -> None:
        def is_there() -> bool:
            return not update.is_running or self.weights().get(revision) == weight

        wait_for(f"{weight}% to {revision}", is_there, 180)

    @property
    def is_settled(self) -> bool:
        """Whether exactly what is declared was reached by the last command."""
        return self._settled == self.stack_file.read_text(encoding="utf-8")

    def settle(self) -> None:
        """`up`, unless it is settled."""
        if not self.is_settled:
            self.up()

    def preview(self, *, expect_failure: bool = False) -> Run:
        settled = self._settled
        run = self.start("preview", "--diff", "--stack", STACK).wait()
        self._settled = settled
        assert run.succeeded is not expect_failure, run.output
        return run

    def refresh(self, *extra: str) -> Run:
        return self.pulumi("refresh", "--yes", "--skip-preview", "--stack", STACK, *extra)

    def cancel(self) -> Run:
        """Remove the lock of an engine that was killed."""
        return self.pulumi("cancel", "--yes", "--stack", STACK)

    def destroy(self) -> Run:
        return self.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)

    def stack_rm(self) -> Run:
        return self.pulumi("stack", "rm", "--yes", "--preserve-config", "--stack", STACK)

    def outputs(self) -> dict[str, Any]:
        settled = self._settled
        text = self.pulumi("stack", "output", "--json", "--stack", STACK).output
        self._settled = settled
        outputs: dict[str, Any] = json.loads(text[text.index("{") :])
        return outputs

    def resources(self) -> list[dict[str, Any]]:
        """What the engine has recorded: type, urn, id, inputs and outputs of each resource."""
        settled = self._settled
        text = self.pulumi("stack", "export", "--stack", STACK).output
        self._settled = settled
        deployment = json.loads(text[text.index("{") :])["deployment"]
        return list(deployment.get("resources") or [])

    # -- what really runs ---------------------------------------------------------------------

    @property
    def state_folder(self) -> Path:
        return self.root / ".tidegate" / STACK

    @property
    def local(self) -> LocalStack:
        return LocalStack(StateFolder(self.state_folder))

    @property
    def gateway(self) -> str:
        """host:port for users."""
        record = self.local.gateway.record()
        assert record is not None, "there is no gateway"
        return record.address

    def pid(self, program: str) -> int:
        """Process id of a server: "gateway", or a revision."""
        state = self.local.supervisor.state(program)
        assert state is not None and state.pid, f"{program} does not run"
        return state.pid

    def servers(self) -> set[str]:
        """Revisions whose server runs, and gates and switches that go on long after their end.

        Their processes need a moment to end after they wrote what `up` waited for.
        """
        deadline = time.monotonic() + 60
        while True:
            states = self.local.supervisor.states()
            running = {name for name, state in states.items() if state.is_up} - {"gateway"}
            jobs = any(name.startswith(("gate-", "switch-")) for name in running)
            if not jobs or time.monotonic() > deadline:
                return running
            time.sleep(0.1)

    def weights(self) -> dict[str, int]:
        """Routes of the digits service as Envoy's file has them: revision to percentage."""
        routes = self.local.recorded_routes(SERVICE)
        return dict(routes.weights) if routes is not None else {}

    def client(self, release: str = "1") -> InferenceClient:
        loaded = load_release(self.serving_root, SERVICE, release)
        return InferenceClient(self.gateway, self.serving_root, loaded)

    def attempts(self) -> list[Attempt]:
        """Every gate that ended with a verdict."""
        path = attempts_path(self.state_folder / "evidence", STACK)
        if not path.exists():
            return []
        return attempts_in(path.read_text(encoding="utf-8").splitlines())

    def wait_for_gate(self, revision: str, timeout: float = 180) -> None:
        """Wait until the revision's gate sends load."""

        def under_load() -> bool:
            run = self.local.gates.latest(revision)
            if run is None:
                return False
            events, _ = read_events(run.folder / "journal.jsonl", 0)
            return any(each["event"] == "progress" and each.get("sent") for each in events)

        wait_for(f"load of the gate of {revision}", under_load, timeout)

    def wait_for_outcome(self, timeout: float = 60) -> SwitchOutcome:
        """Wait until the service's newest switch has ended."""

        def outcome() -> SwitchOutcome | None:
            run = self.local.switches.latest(SERVICE)
            return run.outcome if run is not None else None

        return wait_for("the end of the switch", outcome, timeout)

    def journal(self) -> list[dict[str, object]]:
        """Everything that ever happened to the service's traffic."""
        return self.local.switches.folder(SERVICE).events()

    # -- the end ------------------------------------------------------------------------------

    def remove(self) -> list[str]:
        """Take everything down, whatever state it is in; returns what had to be killed."""
        run = self.start("destroy", "--yes", "--skip-preview", "--stack", STACK).wait()
        if not run.succeeded:
            self.start("cancel", "--yes", "--stack", STACK).wait()
            self.start("destroy", "--yes", "--skip-preview", "--stack", STACK).wait()
        self.local.supervisor.shut_down()
        return kill_all(self.root)
