"""What a gate's run says about itself inside a cluster: how far it is, how it ended."""

from pydantic import Field

from tidegate.cluster.names import TERMINATION_MESSAGE_BYTES
from tidegate.gate.document import Document
from tidegate.gate.verdict import Outcome, Verdict

_CUT = "… (shortened; the report has all of it)"
_LONGEST_LINE = 600


class GateProgress(Document):
    """progress.json: the last event of the run's journal."""

    at: str
    event: str = Field(description="queued, started, progress, verdict, error, cancelled, …")
    message: str


class VerdictNote(Document):
    """A verdict as a pod's termination message holds it, and the gate's record after it.

    Digests tie it to the request that was judged and to the verdict in the evidence store.
    """

    outcome: Outcome
    summary: str
    reasons: tuple[str, ...] = ()
    mend: tuple[str, ...] = ()
    evidence_path: str | None = None
    report_path: str | None = None
    request_digest: str
    verdict_digest: str

    @classmethod
    def of(cls, verdict: Verdict, request_digest: str) -> "VerdictNote":
        return cls(
            outcome=verdict.outcome,
            summary=verdict.summary,
            reasons=verdict.reasons,
            mend=verdict.mend,
            evidence_path=verdict.evidence_path,
            report_path=verdict.report_path,
            request_digest=request_digest,
            verdict_digest=verdict.digest,
        )

    def to_message(self, limit: int = TERMINATION_MESSAGE_BYTES) -> str:
        """JSON of at most `limit` bytes; long lines and lists are shortened, the rest is whole."""
        note = self.model_copy(update={"summary": _shorter(self.summary)})
        note = note.model_copy(
            update={
                "reasons": tuple(map(_shorter, self.reasons)),
                "mend": tuple(map(_shorter, self.mend)),
            }
        )
        while len(message := note.model_dump_json(by_alias=True).encode()) > limit:
            note = note._without_a_line()
        return message.decode()

    def _without_a_line(self) -> "VerdictNote":
        """Without the last reason or remedy, which a mark replaces."""
        lists = {"reasons": self.reasons, "mend": self.mend}
        name = max(lists, key=lambda each: len(lists[each]))
        kept = [line for line in lists[name] if line != _CUT][:-1]
        if not kept and self.report_path is None and not lists[name]:
            raise ValueError("digests and paths alone do not fit into the message")
        if not lists[name]:
            return self.model_copy(update={"report_path": None})
        shortened = () if lists[name] == (_CUT,) else (*kept, _CUT)
        return self.model_copy(update={name: shortened})


def _shorter(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}{_CUT}"
