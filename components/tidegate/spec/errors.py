"""The one error for data that breaks a rule."""


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
