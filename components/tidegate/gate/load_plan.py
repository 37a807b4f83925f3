"""What one process of the load generator sends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tidegate.gate.checking import ArmChecker
from tidegate.gate.protocols.base import WireProtocol
from tidegate.gate.schedule import Schedule


@dataclass(frozen=True)
class LoadArm:
    """One target: its protocols by code and what its answers must be."""

    protocols: Mapping[int, WireProtocol]
    checker: ArmChecker


@dataclass(frozen=True)
class LoadPlan:
    """What one process sends. `schedule` holds its own requests only, in consecutive pieces;
    `origin` is the moment of `time.perf_counter` at which its clock begins."""

    schedule: Iterator[Schedule]
    arms: Mapping[int, LoadArm]
    deadline_seconds: float
    origin: float
