"""Everything of one stack on the embedded platform, put together."""

from pathlib import Path

from tidegate.files import read_json, write_json
from tidegate.local.gate_runs import GateRuns
from tidegate.local.gateway import Gateway
from tidegate.local.slots import Slots
from tidegate.local.state_folder import StateFolder
from tidegate.local.supervision import Supervisor
from tidegate.local.switch_runs import SwitchRuns
from tidegate.local.waiting import Sleep
from tidegate.traffic.envoy.router import EnvoyFileRouter
from tidegate.traffic.routes import ServiceRoutes


class LocalStack:
    """The parts of one stack, all on the same state folder."""

    def __init__(self, folder: StateFolder) -> None:
        self.folder = folder
        self.supervisor = Supervisor(folder)
        self.gateway = Gateway(folder, self.supervisor)
        self.slots = Slots(folder, self.supervisor, self.gateway.discovery, self.gateway.admin)
        self.gates = GateRuns(folder, self.supervisor)
        self.switches = SwitchRuns(folder, self.supervisor)

    def router(self) -> EnvoyFileRouter:
        """Router of the recorded gateway. Raises RouterError when there is none."""
        return EnvoyFileRouter(self.gateway.discovery, self.gateway.admin())

    def recorded_routes(self, service: str) -> ServiceRoutes | None:
        """The service's routes as written down, whether or not Envoy serves them."""
        services = self.gateway.discovery.services()
        return next((each for each in services if each.service == service), None)

    def note_switch(self, service: str, *, recorded: bool) -> None:
        """Remember whether the engine is known to have recorded the service's switch.

        A create cannot know it; any later question of the engine about the switch proves it.
        """
        path = self._switch_note(service)
        if read_json(path) != {"recorded": recorded}:
            write_json(path, {"recorded": recorded})

    def switch_is_unrecorded(self, service: str) -> bool:
        """Whether the service's routes come from a create that nobody has asked about since."""
        return read_json(self._switch_note(service)) == {"recorded": False}

    def forget_switch(self, service: str) -> None:
        self._switch_note(service).unlink(missing_ok=True)

    def _switch_note(self, service: str) -> Path:
        return self.folder.gateway / "switches" / f"{service}.json"

    def strays(self) -> list[str]:
        """Revisions that have a server or a gate, are not declared, and that no route mentions.

        They come from an `up` that was killed after it created them and before the engine wrote
        that down: no state knows them, so nobody else would ever stop them.
        """
        record = self.gateway.record()
        declared = set(record.revisions) if record is not None else set()
        present = {each.revision for each in self.slots.records()} | set(self.gates.revisions())
        routed = {
            revision
            for service in self.gateway.discovery.services()
            for revision in service.weights
        }
        return sorted(present - declared - routed)

    async def stop_strays(self, sleep: Sleep) -> list[str]:
        """Stop what `strays` names; returns the revisions."""
        stopped = self.strays()
        for revision in stopped:
            await self.gates.remove(revision)
            await self.slots.remove(revision, sleep)
        return stopped
