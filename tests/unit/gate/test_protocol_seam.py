"""The seam for other protocols, with a complete example, and when an answer counts as compared."""

from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from tests.unit.gate.kserve_fake import SIGNATURE, write_golden_set
from tidegate.gate.answers import AnswerChecker
from tidegate.gate.checking import ArmChecker, Finding, Revisions
from tidegate.gate.protocols.base import (
    Answer,
    LaneProtocol,
    OutputTensor,
    Received,
    RequestError,
)
from tidegate.gate.protocols.greenlets import GreenletLane
from tidegate.gate.samples import ErrorKind, ProtocolCode
from tidegate.spec.golden import GoldenData, load_golden
from tidegate.spec.release import Tolerance

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


class Doubling:
    """A protocol of one's own: what it sends for each golden example is known beforehand, and
    each connection carries one request at a time. Here a function stands in for the server."""

    code = ProtocolCode.UNKNOWN

    def __init__(self, golden: GoldenData) -> None:
        self._golden = golden

    def connect(self) -> "Doubling":
        """A new connection; whatever takes time happens in `infer`."""
        return self

    def infer(self, example: int, timeout_seconds: float) -> Answer:
        """Ask and wait; RequestError when there is no usable answer."""
        try:
            with gevent.Timeout(timeout_seconds):
                gevent.sleep(0.01)  # a real one awaits its answer here
        except gevent.Timeout:
            raise RequestError(ErrorKind.DEADLINE, "no answer in time") from None
        outputs = {}
        for tensor in SIGNATURE.outputs:
            values = self._golden.outputs[tensor.name][example : example + 1]
            outputs[tensor.name] = OutputTensor(tensor.datatype, values.shape, values.ravel())
        return Answer("doubler", "2", outputs)

    def close(self) -> None:
        """Nothing to release."""


@pytest.fixture
def golden(tmp_path: Path) -> GoldenData:
    write_golden_set(tmp_path / "golden.npz")
    return load_golden(tmp_path / "golden.npz", SIGNATURE)


@pytest.fixture
def arm(golden: GoldenData) -> ArmChecker:
    tolerance = Tolerance(absolute=1e-6, relative=1e-6)
    return ArmChecker(AnswerChecker(SIGNATURE, golden, tolerance), "doubler-2", Revisions())


def test_requests_of_such_a_protocol_run_side_by_side(golden: GoldenData, arm: ArmChecker) -> None:
    protocol, ended = Doubling(golden), Event()
    assert not isinstance(protocol, LaneProtocol)
    found: list[Finding | RequestError | None] = []

    def take(token: int, answer: Received) -> None:
        found.append(arm.check(int(protocol.code), token, answer))
        if len(found) == golden.count:
            ended.set()

    def fail(_token: int, error: RequestError) -> None:
        found.append(error)
        ended.set()

    for example in range(golden.count):
        GreenletLane(protocol, 1.0, take, fail).send(example, example)
    assert ended.wait(5)
    assert found == [None] * golden.count


def test_equal_bytes_need_no_second_comparison_and_other_bytes_do(
    golden: GoldenData, arm: ArmChecker
) -> None:
    right, wrong = (Doubling(golden).infer(example, 1.0) for example in (0, 1))
    compared = []

    def answer(content: bytes, decoded: Answer) -> Received:
        return Received((content,), 1, lambda: compared.append(content) or decoded)  # type: ignore[func-returns-value]

    assert arm.check(0, 0, answer(b"a", right)) is None
    assert arm.check(0, 0, answer(b"a", right)) is None
    assert compared == [b"a"]
    finding = arm.check(0, 0, answer(b"b", wrong))
    assert finding is not None and finding.kind is ErrorKind.WRONG_VALUE


def test_an_answer_that_names_another_revision_is_of_that_revision(
    golden: GoldenData, arm: ArmChecker
) -> None:
    said = Doubling(golden).infer(0, 1.0)
    other = Answer(said.model_name, said.model_version, said.outputs, revision="doubler-1")
    finding = arm.check(0, 0, Received((b"a",), 1, lambda: other))
    assert finding is not None and finding.kind is ErrorKind.OTHER_VERSION
    assert finding.revision != arm.index
