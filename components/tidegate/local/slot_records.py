"""What is written down of a stack's slots, and the ports that their servers get."""

from dataclasses import asdict
from datetime import UTC, datetime

from tidegate.files import read_json, write_json
from tidegate.local import ports
from tidegate.local.slot_record import SlotRecord
from tidegate.local.state_folder import StateFolder
from tidegate.local.supervision import Supervisor
from tidegate.spec.release import Release


class SlotRecords:
    """All records of one stack."""

    def __init__(self, folder: StateFolder, supervisor: Supervisor) -> None:
        self._folder = folder
        self._supervisor = supervisor

    def get(self, revision: str) -> SlotRecord | None:
        data = read_json(self._folder.slot(revision) / "slot.json")
        return None if data is None else SlotRecord.from_data(data)

    def all(self) -> list[SlotRecord]:
        paths = sorted(self._folder.slots.glob("*/slot.json"))
        return [
            SlotRecord.from_data(data) for path in paths if (data := read_json(path)) is not None
        ]

    def with_ports(
        self, revision: str, release: Release, reservations: ports.Reservations
    ) -> SlotRecord:
        """The revision's record; written anew, with other ports, where it cannot have its own.

        Raises NoFreePortError.
        """
        existing = self.get(revision)
        if existing is not None and self._can_listen(existing, reservations):
            return existing
        taken = {port for each in self.all() for port in each.ports}
        http, grpc, metrics = reservations.find(3, taken, int(self._folder.key, 16))
        record = SlotRecord(
            revision=revision,
            service=release.service,
            release=release.release,
            models=tuple((model.name, model.version) for model in release.models),
            http_port=http,
            grpc_port=grpc,
            metrics_port=metrics,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_json(self._folder.slot(revision) / "slot.json", asdict(record))
        return record

    def _can_listen(self, record: SlotRecord, reservations: ports.Reservations) -> bool:
        """Whether each of its ports is its server's own already, or free and now reserved.

        That the program is up says nothing: supervisor starts it again and again after it ended
        because another process has its port.
        """
        state = self._supervisor.state(record.revision)
        own = state.pid if state is not None and state.is_up else None
        return all(
            (own is not None and ports.listens(own, port)) or reservations.take(port)
            for port in record.ports
        )
