"""What a cloud does with a type of resource beyond what its SDK tells: ids, names, replacement."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

DEFAULT_ID = "{name}-{hex17}"


@dataclass(frozen=True)
class TypeRule:
    """How the cloud treats one type.

    `id` is a format over the inputs (nested ones with dots), `hex8`/`hex17` (another one for every
    creation), `resource` (name in the program) and what the cloud's `surroundings` give. A second
    creation under an id that exists is refused; with `put` it changes what is there, as calls
    named Put and Attach do. `unique`: no two things have all of these inputs alike, such as ranges
    of addresses in one network; the second one is refused.
    `replaces`: inputs that cannot change in place, nested ones with dots. `volatile`: outputs that
    every update changes. `computed`: inputs that the cloud fills in when they are absent,
    nested ones with dots.
    `autoname`: the input that the provider names when the program does not.
    """

    id: str = DEFAULT_ID
    put: bool = False
    unique: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    autoname: str | None = "name"


DEFAULT_RULE = TypeRule()


def identifier(
    rule: TypeRule,
    inputs: Mapping[str, Any],
    resource: str,
    creation: int,
    surroundings: Mapping[str, str],
) -> str:
    """Id of a new thing; the same for the same program and the same number of creations."""
    digest = random_hex(resource, str(sorted(inputs)), str(creation))
    values = {"name": resource, **surroundings, **inputs}
    values |= {"hex8": digest[:8], "hex17": digest[:17], "resource": resource}
    parts = [(text, name) for text, name, _, _ in Formatter().parse(rule.id)]
    return "".join(text + (_text(_at(values, name)) if name else "") for text, name in parts)


def are_alike(rule: TypeRule, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the cloud would refuse one of these two for the other's sake."""
    return bool(rule.unique) and all(_at(one, name) == _at(other, name) for name in rule.unique)


def random_hex(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def replaced_by(
    rule: TypeRule, olds: Mapping[str, Any], news: Mapping[str, Any]
) -> tuple[str, ...]:
    """Those of the rule's inputs that differ; their top-level names."""
    differing = (path.split(".")[0] for path in rule.replaces if _at(olds, path) != _at(news, path))
    return tuple(dict.fromkeys(differing))


def _at(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
