"""Protos of Google's APIs: which enumeration a property has."""

import re
from collections.abc import Iterable
from typing import Any

CALLED = {"guestaccelerator": "accelerator", "nodeconfig": "config", "nodelocation": "location"}
"""Names that the Pulumi provider gives fields of node pools, as words."""


def field_at(message: Any, path: Iterable[str]) -> tuple[bool, Any]:
    """Whether the message has this property, and its enumeration if it has one.

    Protos of Compute Engine have texts, with an enumeration of the same name beside them.
    """
    enumeration = None
    for part in path:
        own = {_word(name): field for name, field in message.meta.fields.items()} if message else {}
        field = own.get(_word(part)) or own.get(CALLED.get(_word(part), ""))
        if field is None:
            return False, None
        beside = {_word(name): getattr(message, name) for name in dir(message) if name[0].isupper()}
        enumeration = field.enum or (None if field.message else beside.get(_word(part)))
        message = field.message
    return True, enumeration


def _word(name: str) -> str:
    """Pulumi writes `taints` for a list `taint`."""
    return re.sub("[^a-z0-9]", "", name.lower()).removesuffix("s")
