"""The one error for data that breaks a rule, and its translation from pydantic's."""

from typing import Self

from pydantic import ValidationError


class SpecError(ValueError):
    """A value that cannot work.

    `str()` says what is wrong, why it cannot work and what to write instead.
    """

    def __init__(self, field: str, value: object, why: str, instead: str) -> None:
        super().__init__(f"{field}: {value!r} cannot work: {why}. Instead: {instead}.")
        self.field = field
        self.value = value
        self.why = why
        self.instead = instead

    @classmethod
    def from_validation(cls, error: ValidationError, source: str) -> Self:
        """Report the first finding of `error`; `source` names the file or object it is about."""
        finding = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in finding["loc"])
        field = f"{source}: {path}" if path else source
        value = finding["input"]
        more = error.error_count() - 1
        rest = f" ({more} more to mend after this one)" if more else ""
        match finding["type"]:
            case "missing":
                return cls(field, None, "the key is missing", f"add '{path}'{rest}")
            case "extra_forbidden":
                return cls(field, value, "the key is unknown", f"remove or rename it{rest}")
            case "value_error":  # from a validator of ours, whose message says what to write
                wanted = finding["msg"].removeprefix("Value error, ")
                return cls(field, value, "it breaks a rule", f"{wanted}{rest}")
            case "string_type" if isinstance(value, int | float):
                mend = f"write '{value}' in quotes"
                return cls(field, value, "YAML reads it as a number", f"{mend}{rest}")
            case _:
                rule = finding["msg"].removeprefix("Input should be ")
                return cls(field, value, "it does not fit", f"a value that fits: {rule}{rest}")
