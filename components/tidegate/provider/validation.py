"""From validation errors to sentences on the property at fault."""

from collections.abc import Mapping, Set
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tidegate.provider.handler import CheckFailure
from tidegate.provider.values import REDACTED, Unknown, contains_unknown

ModelT = TypeVar("ModelT", bound=BaseModel)


def explain(
    model: type[ModelT], values: Mapping[str, Any], secret_names: Set[str] = frozenset()
) -> tuple[list[CheckFailure], ModelT | None]:
    """Validate inputs of a resource or of the provider.

    Values not yet known are passed over. The model is returned only when everything is known
    and right. A secret's value never appears in a reason.
    """
    plain = {name: value for name, value in values.items() if not name.startswith("__")}
    try:
        validated = model.model_validate(plain)
    except ValidationError as error:
        return [
            CheckFailure(_path(each["loc"]), _reason(each, secret_names))
            for each in error.errors(include_url=False)
            if not isinstance(each["input"], Unknown)
        ], None
    return [], None if contains_unknown(plain) else validated


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _reason(error: Any, secret_names: Set[str]) -> str:
    location = error["loc"]
    if error["type"] == "missing":
        # After a failed resource, an update that continues passes on no value at all.
        return "is missing; add it, or mend the resource that its value comes from"
    if error["type"] == "extra_forbidden":
        return "is not a property of this resource; remove it or correct its name"
    if not location:  # about several properties at once; their values may be secrets
        return str(error["msg"])
    value = REDACTED if location[0] in secret_names else repr(error["input"])
    return f"{error['msg']}, but it is {value}"
