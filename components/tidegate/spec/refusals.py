"""Findings collected over a whole document, and the one error that reports them all."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tidegate.spec.errors import SpecError
from tidegate.spec.shape_errors import shape_findings
from tidegate.spec.signature import SpecModel

_Document = TypeVar("_Document", bound=SpecModel)


class Refused(SpecError):
    """Several findings; `errors` has them all. The fields of SpecError are those of the first."""

    def __init__(self, errors: Sequence[SpecError]) -> None:
        first = errors[0]
        super().__init__(first.field, first.value, first.why, first.instead)
        self.errors = tuple(errors)
        lines = "\n".join(f"- {error}" for error in errors)
        self.args = (f"{len(errors)} settings cannot work:\n{lines}",)


def refuse(errors: Iterable[SpecError]) -> None:
    """Raise SpecError when there is a finding: the one, or Refused with all."""
    found = tuple(errors)
    if len(found) == 1:
        raise found[0]
    if found:
        raise Refused(found)


def within(where: str, errors: Iterable[SpecError]) -> tuple[SpecError, ...]:
    """The same findings, with the place put before each field."""
    return tuple(
        SpecError(f"{where}.{error.field}", error.value, error.why, error.instead)
        for error in errors
    )


def parse(document: type[_Document], content: object, source: str) -> _Document:
    """The document of plain data. Raises SpecError; `source` names the file or object."""
    try:
        return document.model_validate(content)
    except ValidationError as error:
        raise shape_error(error, source, content, document) from error


def shape_error(
    error: ValidationError,
    source: str,
    content: object = None,
    document: type[BaseModel] | None = None,
) -> SpecError:
    """The one finding of pydantic, or Refused with all.

    With the content fields are called as it calls them; with the document's class an unknown key
    comes with the one that it is most like.
    """
    found = shape_findings(error, source, content, document)
    return found[0] if len(found) == 1 else Refused(found)
