"""One piece of a schedule with the samples that come of it."""

import numpy as np

from tidegate.gate.records import ROW, Rows
from tidegate.gate.samples import REVISION_NOT_STATED, UNKNOWN_BYTES, ErrorKind
from tidegate.gate.schedule import Schedule


class Segment:
    """Rows are written by column; one is settled when its kind is no longer UNFINISHED."""

    def __init__(self, schedule: Schedule) -> None:
        size = len(schedule)
        self.due: list[float] = schedule.due.tolist()
        self.arm: list[int] = schedule.arm.tolist()
        self.protocol: list[int] = schedule.protocol.tolist()
        self.example: list[int] = schedule.example.tolist()
        self.rows: Rows = np.zeros(size, ROW)
        self.rows["intended"], self.rows["arm"] = schedule.due, schedule.arm
        self.rows["protocol"] = schedule.protocol
        self.rows["sent"] = self.rows["done"] = np.nan
        self.rows["kind"] = ErrorKind.UNFINISHED
        self.rows["bytes"], self.rows["revision"] = UNKNOWN_BYTES, REVISION_NOT_STATED
        # Writing a number into a column costs half of writing a field of a row.
        self.sent, self.done = self.rows["sent"], self.rows["done"]
        self.kind, self.ok = self.rows["kind"], self.rows["ok"]
        self.bytes, self.revision = self.rows["bytes"], self.rows["revision"]
