"""Whether an answer under load is right, with little work for answers seen before."""

from dataclasses import dataclass

from tidegate.gate.answers import AnswerChecker
from tidegate.gate.protocols.base import Received, RequestError
from tidegate.gate.samples import REVISION_NOT_STATED, ErrorKind

_REMEMBERED_BYTES = 64 << 20
_MOST_REVISIONS = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """`message` is None for a right answer."""

    kind: ErrorKind
    message: str | None
    revision: int


class Revisions:
    """Names of revisions that answered, by their order of appearance."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def index(self, name: str) -> int:
        if name not in self.names:
            if len(self.names) >= _MOST_REVISIONS:
                return REVISION_NOT_STATED
            self.names.append(name)
        return self.names.index(name)


class ArmChecker:
    """Checks the answers of one arm.

    An answer equal, byte for byte, to one that was compared with the golden set and found right
    is right. Every other answer is decoded and compared.
    """

    def __init__(self, checker: AnswerChecker, revision: str, revisions: Revisions) -> None:
        self._checker, self._revision, self._revisions = checker, revision, revisions
        self._right: dict[tuple[int, int], tuple[object, ...]] = {}
        self._room = _REMEMBERED_BYTES
        self._index = revisions.index(revision)

    def check(self, protocol: int, example: int, received: Received) -> Finding | None:
        """None for a right answer of the expected revision."""
        key = (protocol, example)
        if self._right.get(key) == received.identity:
            return None
        try:
            answer = received.decode()
        except RequestError as error:
            return Finding(error.kind, str(error), REVISION_NOT_STATED)
        difference = self._checker.difference(example, answer)
        if answer.revision is not None and answer.revision != self._revision:
            said = f"answered by revision {answer.revision}, expected {self._revision}"
            return Finding(ErrorKind.OTHER_VERSION, said, self._revisions.index(answer.revision))
        if difference is None:
            if key in self._right:
                return None  # answers vary within the tolerance
            if received.size <= self._room:
                self._room -= received.size
                self._right[key] = _kept(received.identity)
            return None
        index = self._index
        if difference.kind is ErrorKind.OTHER_VERSION:
            index = self._revisions.index(f"{answer.model_name} version {answer.model_version}")
        return Finding(difference.kind, difference.message, index)

    @property
    def index(self) -> int:
        """Of the expected revision."""
        return self._index


def _kept(identity: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(bytes(part) if isinstance(part, bytearray) else part for part in identity)
