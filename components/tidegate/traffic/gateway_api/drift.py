"""Whether an object still says what tidegate wrote, and what somebody else has put beside it."""

from collections.abc import Mapping
from typing import Any

from tidegate.cluster.client import Object


def is_as_rendered(found: Object, rendered: Object) -> bool:
    """Whether the object says what was rendered, and in its spec nothing beside it.

    The API server may have added defaults. Those of the kinds of `OWNED` are single values where
    we leave something out, so a list or an object that was not rendered is somebody's addition.
    """
    says = _holds(found["metadata"], rendered["metadata"])
    return says and _says(found.get("spec"), rendered["spec"])


def without_additions(found: Object, rendered: Object) -> Object | None:
    """The merge patch that removes what stands beside what was rendered; None for nothing.

    An apply leaves what another manager owns. Lists are atomic in these kinds: it replaces them.
    """
    spec = _removal(found["spec"], rendered["spec"])
    return {"spec": spec} if spec else None


def _says(found: Any, rendered: Any) -> bool:
    if isinstance(rendered, Mapping):
        return (
            isinstance(found, Mapping)
            and not _additions(found, rendered)
            and all(key in found and _says(found[key], each) for key, each in rendered.items())
        )
    if isinstance(rendered, list):
        return (
            isinstance(found, list)
            and len(found) == len(rendered)
            and all(map(_says, found, rendered))
        )
    return bool(found == rendered)


def _holds(found: Any, rendered: Any) -> bool:
    """Labels and annotations of others are no matter of ours."""
    if isinstance(rendered, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and _holds(found[key], each) for key, each in rendered.items()
        )
    return bool(found == rendered)


def _additions(found: Mapping[str, Any], rendered: Mapping[str, Any]) -> list[str]:
    more = found.keys() - rendered.keys()
    return sorted(key for key in more if isinstance(found[key], Mapping | list) and found[key])


def _removal(found: Mapping[str, Any], rendered: Mapping[str, Any]) -> Object:
    removal: Object = dict.fromkeys(_additions(found, rendered))
    for key, each in rendered.items():
        if isinstance(each, Mapping) and (inner := _removal(found[key], each)):
            removal[key] = inner
    return removal
