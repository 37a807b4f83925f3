"""The one exception that ends a command with a message instead of a traceback."""


class ToolchainError(Exception):
    """Something outside the program is missing or failed; the text says what to do."""
