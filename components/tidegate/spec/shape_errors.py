"""What pydantic finds in a document, said as every refusal is: field, value, why, what instead."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from tidegate.spec.errors import SpecError

Location = Sequence[int | str]

BOUNDS = {
    "greater_than": ("gt", "it is too small", "more than {}"),
    "greater_than_equal": ("ge", "it is too small", "{} or more"),
    "less_than": ("lt", "it is too large", "less than {}"),
    "less_than_equal": ("le", "it is too large", "{} or less"),
    "string_too_short": ("min_length", "it is too short", "{} characters or more"),
    "string_too_long": ("max_length", "it is too long", "{} characters or fewer"),
    "too_short": ("min_length", "it has too few entries", "{} or more"),
    "too_long": ("max_length", "it has too many entries", "{} or fewer"),
}
"""Kind of a finding: the bound's name, why, and what to write."""

KINDS = {
    "int": ("it is no whole number", "a whole number, such as 3"),
    "float": ("it is no number", "a number, such as 0.5"),
    "bool": ("it is neither true nor false", "true or false, without quotes"),
    "string": ("it is no text", "a text"),
    "tuple": ("it is no list", "a list, such as [a, b]"),
    "list": ("it is no list", "a list, such as [a, b]"),
    "dict": ("it has no keys", "keys with values, such as {a: b}"),
    "model": ("it has no keys", "keys with values, such as {a: b}"),
    "datetime": ("it is no time", "a time, such as 2026-11-20T11:30:00Z"),
    "timezone": ("it is in no time zone", "a time with one, such as 2026-11-20T11:30:00Z"),
}
"""First word of a finding's kind: why, and what to write."""


def shape_findings(
    error: ValidationError, source: str, content: object, model: type[BaseModel] | None
) -> tuple[SpecError, ...]:
    """Every finding. `source` names the file or object; of its `content` the fields get names."""
    return tuple(_finding(each, source, content, model) for each in error.errors(include_url=False))


def _finding(found: Any, source: str, content: object, model: type[BaseModel] | None) -> SpecError:
    kind, location = found["type"], found["loc"]
    context = found.get("ctx", {})
    path = [*_path(location, content, is_missing=kind == "missing")]
    value = found["input"]
    if kind == "union_tag_invalid":
        path.append(context["discriminator"].strip("'"))
        value = context["tag"]
    raised = context.get("error")
    if isinstance(raised, SpecError):  # by a validator of ours, about a field of what it looked at
        path.extend([raised.field] if raised.field else [])
        value, why, instead = raised.value, raised.why, raised.instead
    elif kind == "union_tag_not_found":
        key = context["discriminator"].strip("'")
        path.append(key)
        value, why, instead = None, "the key is missing", f"add '{key}'"
    elif kind == "missing":
        value, why, instead = None, "the key is missing", f"add '{path[-1]}'"
    elif kind == "extra_forbidden":
        why, instead = "the key is unknown", _known_instead(path[-1], _keys(model, location))
    else:
        why, instead = _words(kind, value, found["msg"], context)
    field = ": ".join(each for each in (source, ".".join(path)) if each)
    return SpecError(field, value, why, instead)


def _words(kind: str, value: object, message: str, context: Mapping[str, Any]) -> tuple[str, str]:
    if kind in BOUNDS:
        name, why, instead = BOUNDS[kind]
        return why, instead.format(context[name])
    if kind in ("literal_error", "union_tag_invalid"):
        expected = context.get("expected") or context["expected_tags"]
        near = difflib.get_close_matches(str(value), _listed(expected))
        hint = f"'{near[0]}'; " if near else ""
        return "there is no such value", f"{hint}one of {expected}"
    if kind == "value_error":
        # Validators say what to write, some of them after the reason.
        why, said, instead = message.removeprefix("Value error, ").rpartition(": write ")
        return (why, instead) if said else ("it breaks a rule", instead)
    if kind == "string_type" and isinstance(value, int | float):
        return "YAML reads it as no text", f"write '{value}' in quotes"
    if kind == "string_pattern_mismatch":
        return "such a text is not taken here", f"a text that matches {context['pattern']}"
    if kind == "int_from_float":
        return KINDS["int"]
    first = kind.partition("_")[0]
    if first in KINDS:
        return KINDS[first]
    return "it does not fit", f"a value that fits: {message.removeprefix('Input should be ')}"


def _listed(expected: str) -> list[str]:
    """Of 'a', 'b' or 'c'."""
    return [each.strip(" '") for each in expected.replace(" or ", ", ").split(",")]


def _known_instead(key: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1)
    if near:
        return f"'{near[0]}', or leave it out"
    return f"leave it out; there are: {', '.join(names)}" if names else "leave it out"


def _path(location: Location, content: object, *, is_missing: bool) -> Iterator[str]:
    """Keys as the document has them, without pydantic's own; a list's items by their names."""
    here, is_told_apart = content, False
    for at, part in enumerate(location):
        if isinstance(here, Mapping) and here.get("kind") == part and not is_told_apart:
            is_told_apart = True  # the name of a union's arm, which can be that of a key as well
            continue
        is_told_apart = False
        if isinstance(here, Mapping) and part in here:
            here = here[part]
        elif isinstance(here, Sequence) and isinstance(part, int) and part < len(here):
            here = here[part]
            if isinstance(here, Mapping) and isinstance(here.get("name"), str):
                part = here["name"]
        elif content is not None and not (is_missing and at == len(location) - 1):
            continue  # as above, of a union that something else tells apart
        if part != "[key]":  # pydantic's word for a key that is not taken, which the path has
            yield str(part)


def _keys(model: type[BaseModel] | None, location: Location) -> set[str]:
    """Keys that the document can have where an unknown one stands."""
    here: list[Any] = [model]
    for part in location[:-1]:
        arms = [each for annotation in here for each in _arms(annotation)]
        following = [each for arm in arms for each in _below(arm, part)]
        tagged = [arm for arm in arms if _is_model(arm) and part in _tags(arm)]
        here = tagged or following or arms
    arms = [each for annotation in here for each in _arms(annotation)]
    return {
        field.alias or name
        for arm in arms
        if _is_model(arm)
        for name, field in arm.model_fields.items()
    }


def _arms(annotation: Any) -> Iterator[Any]:
    """Models and containers that an annotation names, out of unions."""
    arguments = get_args(annotation)
    if _is_model(annotation) or getattr(annotation, "__origin__", None) in (tuple, list, dict):
        yield annotation
    else:
        for each in arguments:
            yield from _arms(each)


def _below(arm: Any, part: int | str) -> list[Any]:
    if _is_model(arm):
        fields = arm.model_fields.items()
        return [field.annotation for name, field in fields if part in (name, field.alias)]
    if isinstance(part, int):
        return [get_args(arm)[0]]
    return [get_args(arm)[-1]] if arm.__origin__ is dict else []


def _tags(arm: Any) -> tuple[object, ...]:
    kind = arm.model_fields.get("kind")
    return get_args(kind.annotation) if kind is not None else ()


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
