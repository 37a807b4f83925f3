"""One pass over a schedule on the event loop: what is due is sent, what arrives is checked."""

import time
from collections import deque

import gevent
import numpy as np
from gevent.event import Event

from tidegate.gate.load_plan import LoadPlan
from tidegate.gate.protocols.base import (
    Lane,
    LaneProtocol,
    OnReceived,
    OnRequestError,
    Received,
    RequestError,
)
from tidegate.gate.protocols.greenlets import GreenletLane
from tidegate.gate.records import Rows
from tidegate.gate.samples import ErrorKind
from tidegate.gate.segment import Segment
from tidegate.gate.timer import PreciseTimer

_DRAIN_GRACE_SECONDS = 1.0
_SWEEP_SECONDS = 0.02
_BURST = 8
"""Requests sent between two looks at the sockets, when several are due at once."""


class _Flight:
    __slots__ = ("index", "lane", "segment", "sent")

    def __init__(self, segment: Segment, index: int, lane: Lane, sent: float) -> None:
        self.segment, self.index, self.lane, self.sent = segment, index, lane, sent


class Walk:
    """One pass over a schedule; times are seconds from the plan's origin."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._origin = plan.origin
        self._segments: deque[Segment] = deque()
        self._written = 0
        self._current: Segment | None = None
        self._position = 0
        self._flights: dict[int, _Flight] = {}
        self._order: deque[tuple[float, int]] = deque()
        self._token = 0
        self._free: dict[tuple[int, int], list[Lane]] = {
            (arm, code): [] for arm, load in plan.arms.items() for code in load.protocols
        }
        self._stopping = False
        self._drain_until = float("inf")
        self._timer = PreciseTimer(self._send_due)
        self._sweeper = gevent.get_hub().loop.timer(_SWEEP_SECONDS, _SWEEP_SECONDS)
        self.finished = Event()
        self.first_errors: dict[int, dict[str, str]] = {arm: {} for arm in plan.arms}
        self.sent = self.done = self.errors = 0

    # -- for whoever watches ----------------------------------------------------------------

    def stop_sending(self) -> None:
        """Nothing more is started; what is in flight is still awaited."""
        self._stopping = True

    def take_settled(self) -> list[Rows]:
        """Rows not taken before, in order of `intended`, up to the first request in flight."""
        found = []
        while self._segments:
            segment = self._segments[0]
            is_last = segment is self._current
            end = self._position if is_last else len(segment.due)
            waiting = segment.kind[self._written : end] == ErrorKind.UNFINISHED
            settled = self._written + int(np.argmax(waiting)) if waiting.any() else end
            if settled > self._written:
                found.append(segment.rows[self._written : settled].copy())
                self._written = settled
            if settled < end or is_last:
                break
            self._segments.popleft()
            self._written = 0
        return found

    def settled_seconds(self) -> float:
        """Every request due before this moment was sent and settled."""
        for segment in self._segments:
            if segment is self._current and self._written >= self._position:
                break
            return segment.due[self._written]
        current = self._current
        if current is not None and self._position < len(current.due):
            return current.due[self._position]
        return float("inf") if self._stopping else 0.0

    # -- the walk, all of it on the event loop ----------------------------------------------

    def begin(self) -> None:
        self._sweeper.start(self._sweep)
        self._next_segment()
        if self._current is None:
            self._end_schedule()
        else:
            self._timer.set(self._origin + self._current.due[0])

    def close(self) -> None:
        """End what is still in flight and close every connection."""
        self._sweeper.stop()
        self._sweeper.close()
        self._timer.close()
        for flight in list(self._flights.values()):
            flight.lane.close()
        for lanes in self._free.values():
            for lane in lanes:
                lane.close()

    def _next_segment(self) -> None:
        self._current, self._position = None, 0
        for schedule in self._plan.schedule:
            if len(schedule):
                self._current = Segment(schedule)
                self._segments.append(self._current)
                return

    def _send_due(self) -> None:
        timer = self._timer
        for _ in range(_BURST):
            segment = self._current
            if segment is None:
                return
            if self._stopping:
                self._end_schedule()
                return
            due = segment.due[self._position]
            now = time.perf_counter() - self._origin
            if now < due:
                timer.set(self._origin + due)
                return
            self._send(segment, self._position)
            self._position += 1
            if self._position == len(segment.due):
                self._next_segment()
                if self._current is None:
                    self._end_schedule()
                    return
        timer.set(self._origin)

    def _end_schedule(self) -> None:
        self._stopping = True
        last = self._current
        if last is not None:
            # Requests that were not due when the load was stopped are not part of it.
            del last.due[self._position :]
            self._current = None
        now = time.perf_counter() - self._origin
        self._drain_until = now + self._plan.deadline_seconds + _DRAIN_GRACE_SECONDS
        self._finish_when_settled()

    def _send(self, segment: Segment, index: int) -> None:
        code, arm = segment.protocol[index], segment.arm[index]
        free = self._free[arm, code]
        lane = free.pop() if free else self._new_lane(arm, code)
        self._token = token = self._token + 1
        now = time.perf_counter() - self._origin
        segment.sent[index] = now
        self.sent += 1
        self._flights[token] = _Flight(segment, index, lane, now)
        self._order.append((now + self._plan.deadline_seconds, token))
        lane.send(segment.example[index], token)

    def _new_lane(self, arm: int, code: int) -> Lane:
        protocol = self._plan.arms[arm].protocols[code]
        received: OnReceived = self._on_received
        failed: OnRequestError = self._on_error
        if isinstance(protocol, LaneProtocol):
            return protocol.lane(received, failed)
        return GreenletLane(protocol, self._plan.deadline_seconds, received, failed)

    def _on_received(self, token: int, received: Received) -> None:
        now = time.perf_counter() - self._origin
        flight = self._flights.pop(token, None)
        if flight is None:
            return
        segment, index = flight.segment, flight.index
        arm, code = segment.arm[index], segment.protocol[index]
        if flight.lane.is_open:
            self._free[arm, code].append(flight.lane)
        if now - flight.sent > self._plan.deadline_seconds:
            self._count_error(flight, ErrorKind.DEADLINE, self._deadline_words())
            return
        segment.done[index] = now
        segment.bytes[index] = received.size
        self.done += 1
        checker = self._plan.arms[arm].checker
        finding = checker.check(code, segment.example[index], received)
        if finding is not None and finding.message is not None:
            segment.revision[index] = finding.revision
            self._count_error(flight, finding.kind, finding.message)
            return
        segment.revision[index] = checker.index
        segment.ok[index] = True
        segment.kind[index] = ErrorKind.NONE
        self._finish_when_settled()

    def _on_error(self, token: int, error: RequestError) -> None:
        flight = self._flights.pop(token, None)
        if flight is None:
            return
        # A request that ran into its deadline was never done.
        if error.kind is not ErrorKind.DEADLINE:
            flight.segment.done[flight.index] = time.perf_counter() - self._origin
            self.done += 1
        self._count_error(flight, error.kind, str(error))

    def _count_error(self, flight: _Flight, kind: ErrorKind, message: str) -> None:
        segment, index = flight.segment, flight.index
        segment.kind[index] = kind
        self.errors += 1
        arm, code = segment.arm[index], segment.protocol[index]
        label = self._plan.arms[arm].protocols[code].code.label
        self.first_errors[arm].setdefault(kind.label, f"{label}: {message}")
        self._finish_when_settled()

    def _sweep(self) -> None:
        """End requests beyond their deadline."""
        now = time.perf_counter() - self._origin
        order = self._order
        while order and (order[0][0] < now or order[0][1] not in self._flights):
            _, token = order.popleft()
            flight = self._flights.pop(token, None)
            if flight is not None:
                flight.lane.close()
                self._count_error(flight, ErrorKind.DEADLINE, self._deadline_words())
        if self._stopping and self._current is not None:
            self._end_schedule()
        if now > self._drain_until:
            self.finished.set()
        self._finish_when_settled()

    def _deadline_words(self) -> str:
        return f"no answer within {self._plan.deadline_seconds:g} s"

    def _finish_when_settled(self) -> None:
        if self._stopping and self._current is None and not self._flights:
            self.finished.set()
