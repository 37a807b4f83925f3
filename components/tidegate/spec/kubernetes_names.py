"""Names as Kubernetes and DNS take them, as pydantic fields."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import AfterValidator

from tidegate.spec.errors import SpecError

MOST_HOSTNAMES = 16
"""Of an HTTPRoute and a GRPCRoute."""
LONGEST_LABEL, LONGEST_NAME = 63, 253
_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_WHY = "takes lower-case letters, digits and '-', and begins and ends with a letter or digit"


def check_hostnames(hostnames: Sequence[str]) -> None:
    """Raise SpecError for one that is none, and for more than a route can hold."""
    for each in hostnames:
        _host_name(each)
    if len(hostnames) > MOST_HOSTNAMES:
        raise SpecError(
            "hostnames",
            len(hostnames),
            f"a route of the Gateway API holds {MOST_HOSTNAMES} host names",
            f"{MOST_HOSTNAMES} at most, of which one such as '*.example.org' stands for many",
        )


def _checked(field: str, pattern: str, what: str, longest: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            near = _near(text)
            fits = re.fullmatch(pattern, near) and len(near) <= longest
            raise SpecError(field, text, what, f"'{near}'" if fits else "a name that does")
        if len(text) > longest:
            why = f"it has {len(text)} characters, and there may be {longest}"
            raise SpecError(field, text, why, "a shorter name")
        return text

    return check


def _near(text: str) -> str:
    """What was probably meant: without scheme, port and path, and with '-' for all else."""
    host = re.sub(r"^[a-zA-Z]+://|[:/].*$", "", text.strip()).lower()
    labels = [re.sub(r"[^a-z0-9*]+", "-", each).strip("-") for each in host.split(".")]
    return ".".join(each for each in labels if each)


_host_name = _checked(
    "hostnames",
    rf"(\*\.)?{_LABEL}(\.{_LABEL})*",
    f"a host name consists of labels with dots between them, of which each {_WHY}; '*' may stand "
    "for the first label alone, and scheme, port and path are no part of it",
    LONGEST_NAME,
)
_LABEL_RULE = f"a name of this kind {_WHY}"
check_namespace = _checked("namespace", _LABEL, _LABEL_RULE, LONGEST_LABEL)
"""Raises SpecError for what no namespace can be called."""
DnsLabel = Annotated[str, AfterValidator(_checked("name", _LABEL, _LABEL_RULE, LONGEST_LABEL))]
"""Names of namespaces, Services and the like (RFC 1123)."""
DnsName = Annotated[
    str,
    AfterValidator(
        _checked(
            "name",
            rf"{_LABEL}(\.{_LABEL})*",
            f"a name of this kind consists of parts with dots between them, of which each {_WHY}",
            LONGEST_NAME,
        )
    ),
]
"""Names of most objects of Kubernetes (RFC 1123)."""
HostName = Annotated[str, AfterValidator(_host_name)]
"""A host name of a route; its first label may be '*'."""
PoolName = Annotated[str, AfterValidator(_checked("pools", _LABEL, f"a pool's name {_WHY}", 40))]
