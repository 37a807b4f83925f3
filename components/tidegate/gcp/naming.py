"""Names and labels by which a resource is found again, also when no state knows of it."""

import hashlib
from collections.abc import Mapping

from tidegate.spec.ownership import Ownership

CLUSTER_LABEL = "tidegate-cluster"
HASH_DIGITS = 6
RANDOM_DIGITS = 8
"""What the engine adds to a name: a hyphen and seven digits. So a resource that replaces another
can be made beside it, and one that a killed process left does not stand in the next update's way.
"""

NAME_LIMIT = 63
"""Compute Engine's names (RFC 1035)."""


def name_for(name: str, part: str = "", limit: int = NAME_LIMIT) -> str:
    """A resource's name in the program, short enough for the name in the cloud made from it."""
    whole = f"{name}-{part}" if part else name
    return bounded(whole, limit - RANDOM_DIGITS)


def bounded(name: str, limit: int = NAME_LIMIT) -> str:
    """`name` as it is, or its beginning and digits of its SHA-256 when it is too long."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_DIGITS]
    return f"{name[: limit - HASH_DIGITS - 1].rstrip('-')}-{digest}"


def labels_of(cluster: str, ownership: Ownership) -> dict[str, str]:
    """Labels of every resource that takes them."""
    return {**ownership.labels(), CLUSTER_LABEL: cluster}


def description_of(labels: Mapping[str, str]) -> str:
    """The same as text, for what takes no labels but a description (networks, accounts, …)."""
    return " ".join(f"{key}={value}" for key, value in sorted(labels.items()))
