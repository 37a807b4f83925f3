from typing import Any

import pytest
from google.protobuf import struct_pb2

from tidegate.provider.values import (
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_SENTINEL,
    Properties,
    contains_unknown,
    decode,
    encode,
    redact,
)

pytestmark = pytest.mark.unit


def struct(**values: Any) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(values)
    return message


def secret(value: object) -> dict[str, object]:
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value}


def test_whole_numbers_are_integers_and_others_stay_what_they_are() -> None:
    decoded = decode(struct(port=8080.0, share=0.5, on=True, sizes=[1.0, 2.5], nothing=None))

    assert decoded == {
        "port": 8080,
        "share": 0.5,
        "on": True,
        "sizes": [1, 2.5],
        "nothing": None,
    }
    assert type(decoded["port"]) is int
    assert type(decoded["on"]) is bool


def test_the_unknown_sentinel_is_found_at_any_depth() -> None:
    decoded = decode(struct(top=UNKNOWN_SENTINEL, deep={"list": ["a", UNKNOWN_SENTINEL]}, is_=1))

    assert decoded["top"] is UNKNOWN
    assert decoded["deep"]["list"] == ["a", UNKNOWN]
    assert contains_unknown(decoded)
    assert contains_unknown(decoded["deep"])
    assert not contains_unknown(decoded["is_"])


def test_unknown_values_become_the_sentinel_again() -> None:
    encoded = encode({"top": UNKNOWN, "deep": {"list": [UNKNOWN]}, "pair": (1, UNKNOWN)})

    assert encoded == struct(
        top=UNKNOWN_SENTINEL, deep={"list": [UNKNOWN_SENTINEL]}, pair=[1, UNKNOWN_SENTINEL]
    )


def test_secrets_are_unwrapped_wherever_they_are_and_remembered_by_property() -> None:
    decoded = decode(
        struct(
            plain="p",
            password=secret("s1"),
            nested={"user": "u", "token": secret("s2")},
            listed=[secret("s3"), "x"],
            doubly=secret({"inner": secret("s4")}),
            unknown=secret(UNKNOWN_SENTINEL),
        )
    )

    assert decoded == {
        "plain": "p",
        "password": "s1",
        "nested": {"user": "u", "token": "s2"},
        "listed": ["s3", "x"],
        "doubly": {"inner": "s4"},
        "unknown": UNKNOWN,
    }
    assert decoded.secret_names == {"password", "nested", "listed", "doubly", "unknown"}


def test_an_object_that_only_resembles_a_secret_is_plain_data() -> None:
    look_alike = {SIGNATURE_KEY: "something else", "value": "v"}

    decoded = decode(struct(field=look_alike))

    assert decoded == {"field": look_alike}
    assert not decoded.secret_names


def test_named_properties_are_wrapped_as_secrets_and_none_is_left_out() -> None:
    encoded = encode({"password": "s", "other": 1, "absent": None}, {"password", "missing"})

    assert encoded == struct(password=secret("s"), other=1)


def test_what_was_decoded_is_encoded_the_same() -> None:
    message = struct(
        number=3, text="t", unknown=UNKNOWN_SENTINEL, hidden=secret({"a": [1, "b"]}), empty=[]
    )
    decoded = decode(message)

    assert encode(decoded, decoded.secret_names) == message


def test_every_secret_is_taken_out_of_a_text() -> None:
    new = Properties(
        {"password": "abc", "nested": {"token": ["abc-def"]}, "port": 1, "plain": "host"},
        {"password", "nested", "port"},
    )
    old = Properties({"password": "before"}, {"password"})

    redacted = redact("host refused abc, abc-def and before", new, old)

    assert redacted == "host refused [secret], [secret] and [secret]"


def test_an_empty_secret_changes_no_text() -> None:
    assert redact("as it is", Properties({"password": ""}, {"password"})) == "as it is"
