"""Asks for every golden answer once over each protocol, before any load is sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gevent.pool import Pool

from tidegate.gate.answers import AnswerChecker
from tidegate.gate.protocols.base import Answer, RequestError, WireProtocol
from tidegate.gate.samples import ErrorKind, ProtocolCode
from tidegate.gate.verdict import GoldenReport

GOLDEN_PROTOCOLS = (ProtocolCode.HTTP_BINARY, ProtocolCode.GRPC, ProtocolCode.GRPC_STREAM)
_CONCURRENCY = 4
_PROBES = 4
"""Answers awaited first; when none of them comes, the load test decides by its error rate."""


@dataclass(frozen=True)
class GoldenResult:
    """`agreeing`: the examples whose label agreed over every protocol."""

    report: GoldenReport
    agreeing: tuple[int, ...]


def check_golden(
    protocols: Sequence[WireProtocol],
    checker: AnswerChecker,
    examples: int,
    deadline_seconds: float,
    should_stop: Callable[[], bool],
) -> GoldenResult:
    """Compare the answers to all golden examples over HTTP and gRPC with the golden set.

    Requests without an answer are no disagreement: they leave the report incomplete, which rules
    a PASS out, and the load test counts such errors.
    """
    tally = _Tally(checker)
    chosen = [protocol for protocol in protocols if protocol.code in GOLDEN_PROTOCOLS]
    tasks = [(protocol, example) for protocol in chosen for example in range(examples)]
    pool = Pool(_CONCURRENCY)

    def ask(task: tuple[WireProtocol, int]) -> tuple[str, int, Answer | RequestError]:
        protocol, example = task
        connection = protocol.connect()
        try:
            return protocol.code.label, example, connection.infer(example, deadline_seconds)
        except RequestError as error:
            return protocol.code.label, example, error
        finally:
            connection.close()

    for start, size in ((0, _PROBES), (_PROBES, len(tasks))):
        for label, example, result in pool.imap(ask, tasks[start : start + size]):
            tally.add(label, example, result)
            if should_stop():
                pool.kill()
                return tally.result(examples, len(tasks))
        if not tally.compared:
            break
    return tally.result(examples, len(tasks))


class _Tally:
    """Counts in the order of the golden set, so the first difference is the same every time."""

    def __init__(self, checker: AnswerChecker) -> None:
        self._checker = checker
        self.compared = 0
        self._unanswered = 0
        self._disagreements = 0
        self._other_version = 0
        self._wrong_values = 0
        self._labels: list[bool] = []
        self._agreeing: dict[int, bool] = {}
        self._deviations: list[float] = []
        self._first_difference: str | None = None
        self._first_unanswered: str | None = None

    def add(self, protocol: str, example: int, result: Answer | RequestError) -> None:
        where = f"example {example} over {protocol}"
        if isinstance(result, RequestError):
            if result.kind is not ErrorKind.MALFORMED:
                self._unanswered += 1
                self._first_unanswered = self._first_unanswered or f"{where}: {result}"
                return
            self.compared += 1
            self._disagreements += 1
            self._first_difference = self._first_difference or f"{where}: {result}"
            return
        self.compared += 1
        if (same := self._checker.same_label(example, result)) is not None:
            self._labels.append(same)
            self._agreeing[example] = self._agreeing.get(example, True) and same
        if (deviation := self._checker.deviation(example, result)) is not None:
            self._deviations.append(deviation)
        difference = self._checker.difference(example, result)
        if difference is None:
            return
        if difference.kind is ErrorKind.OTHER_VERSION:
            self._other_version += 1
        else:
            self._disagreements += 1
            self._wrong_values += difference.kind is ErrorKind.WRONG_VALUE
        self._first_difference = self._first_difference or f"{where}: {difference.message}"

    def result(self, examples: int, asked: int) -> GoldenResult:
        agreeing = tuple(example for example, same in self._agreeing.items() if same)
        return GoldenResult(self._report(examples, asked), agreeing)

    def _report(self, examples: int, asked: int) -> GoldenReport:
        return GoldenReport(
            examples=examples,
            compared=self.compared,
            disagreements=self._disagreements,
            unanswered=self._unanswered,
            other_version=self._other_version,
            complete=self.compared == asked and not self._other_version,
            top1_agreement=sum(self._labels) / len(self._labels) if self._labels else None,
            max_deviation=max(self._deviations, default=None),
            first_difference=self._first_difference or self._first_unanswered,
            wrong_values=self._wrong_values,
            top1_examples=len(self._agreeing),
            top1_agreeing=sum(self._agreeing.values()),
        )
