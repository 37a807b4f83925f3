"""How a run ends without a verdict."""


class AbandonedError(Exception):
    """Whoever asked for the run no longer wants it; there is no verdict."""
