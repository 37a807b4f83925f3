"""Errors a handler raises on purpose. Each reaches the user as one sentence, never a traceback."""

from collections.abc import Mapping, Sequence
from typing import Any


class ProviderError(Exception):
    """The operation failed and left nothing behind; the message is shown as it is."""


class CancelledOperation(ProviderError):
    """The operation stopped because the user cancelled it."""


class PartialFailure(ProviderError):
    """The resource exists but is not what was asked for.

    The engine records `outputs` under `resource_id` together with the reasons, so that the next
    update continues with this resource and a removal deletes it.
    """

    def __init__(
        self, resource_id: str, outputs: Mapping[str, Any], reasons: Sequence[str]
    ) -> None:
        super().__init__("; ".join(reasons))
        self.resource_id = resource_id
        self.outputs = dict(outputs)
        self.reasons = list(reasons)
