"""The engine's wire format for property values.

Sentinels are defined by the Pulumi resource provider protocol: unknown values in a preview are a
fixed string, secrets are objects with a signature key.
"""

from collections.abc import Iterator, Mapping, Set
from typing import Any, Final

from google.protobuf import json_format, struct_pb2

UNKNOWN_SENTINEL: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # a marker, no secret
REDACTED: Final = "[secret]"


class Unknown:
    """A value that is not known before the resource it comes from exists."""

    def __repr__(self) -> str:
        return "(known after up)"


UNKNOWN: Final = Unknown()


class Properties(dict[str, Any]):
    """Decoded properties: plain Python values, and the names of those that hold a secret."""

    def __init__(self, values: Mapping[str, Any], secret_names: Set[str] = frozenset()) -> None:
        super().__init__(values)
        self.secret_names = frozenset(secret_names)


def decode(struct: struct_pb2.Struct) -> Properties:
    """Decode a property struct; whole numbers become `int`, secrets are unwrapped and noted."""
    raw = json_format.MessageToDict(struct)
    secret_names = {name for name, value in raw.items() if _holds_secret(value)}
    return Properties({name: _decode(value) for name, value in raw.items()}, secret_names)


def encode(values: Mapping[str, Any], secret_names: Set[str] = frozenset()) -> struct_pb2.Struct:
    """Encode plain values; properties named in `secret_names` are wrapped as secrets."""
    encoded: dict[str, Any] = {}
    for name, value in values.items():
        if value is None:
            continue
        plain = _encode(value)
        encoded[name] = (
            {SIGNATURE_KEY: SECRET_SIGNATURE, "value": plain} if name in secret_names else plain
        )
    struct = struct_pb2.Struct()
    struct.update(encoded)
    return struct


def contains_unknown(value: Any) -> bool:
    """Whether an unknown value occurs anywhere inside `value`."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(contains_unknown(item) for item in value)
    return False


def redact(text: str, *sources: Properties) -> str:
    """The text with every secret of `sources` taken out."""
    secrets = {
        secret
        for properties in sources
        for name in properties.secret_names
        for secret in _texts(properties[name])
    }
    # The longest first: one secret may be a part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return True
        return any(_holds_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_secret(item) for item in value)
    return False


def _decode(value: Any) -> Any:
    if value == UNKNOWN_SENTINEL:
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if isinstance(value, dict):
        if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
            return _decode(value.get("value"))
        return {name: _decode(item) for name, item in value.items()}
    return value


def _encode(value: Any) -> Any:
    if isinstance(value, Unknown):
        return UNKNOWN_SENTINEL
    if isinstance(value, Mapping):
        return {name: _encode(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value
