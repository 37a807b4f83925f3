"""What the rules know of a resource, free of the policy SDK so that tests need no engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """One resource of a stack. `dependencies` are the URNs it depends on directly."""

    urn: str
    type: str
    dependencies: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Violation:
    """A broken rule: the resource at fault and a message that says what to write instead."""

    urn: str
    message: str
