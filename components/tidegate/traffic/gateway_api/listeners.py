"""What the Gateway's controller says about its listeners."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tidegate.cluster.client import Object

WANTED = ("Accepted", "ResolvedRefs", "Programmed")


@dataclass(frozen=True)
class GatewayStatus:
    """`refusals` say in a sentence each why a listener is not served as declared.

    `is_seen` when the controller has spoken about every listener at this generation.
    """

    is_seen: bool
    refusals: tuple[str, ...]


def gateway_status(gateway: Object) -> GatewayStatus:
    """Every listener of a Gateway.

    Whether it has an address yet is the network's matter and not looked at.
    """
    generation = int(gateway["metadata"].get("generation", 0))
    said = {
        each["name"]: list(_current(each, generation))
        for each in (gateway.get("status") or {}).get("listeners") or ()
    }
    listeners = gateway["spec"]["listeners"]
    seen = [{each["type"] for each in said.get(listener["name"], ())} for listener in listeners]
    refusals = [
        _sentence(gateway, listener, condition)
        for listener in listeners
        for condition in _refusals(said.get(listener["name"], []))
    ]
    is_seen = all(types.issuperset(WANTED) for types in seen)
    return GatewayStatus(is_seen=is_seen, refusals=tuple(refusals))


def certificates(gateway: Object, listener: dict[str, Any]) -> list[str]:
    """The Secrets that a listener names, as namespace/name."""
    own = gateway["metadata"]["namespace"]
    references = (listener.get("tls") or {}).get("certificateRefs") or ()
    return [f"{each.get('namespace') or own}/{each['name']}" for each in references]


def _current(listener: dict[str, Any], generation: int) -> Iterator[dict[str, Any]]:
    for condition in listener.get("conditions") or ():
        if int(condition.get("observedGeneration", 0)) >= generation:
            yield condition


def _refusals(conditions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Programmed only repeats that another condition is not met."""
    found = [each for each in conditions if each["type"] in WANTED and each["status"] != "True"]
    causes = [each for each in found if each["type"] != "Programmed"]
    return causes or found


def _sentence(gateway: Object, listener: dict[str, Any], condition: dict[str, Any]) -> str:
    metadata = gateway["metadata"]
    head = f"listener {listener['name']} of Gateway {metadata['namespace']}/{metadata['name']}"
    message = str(condition.get("message") or condition.get("reason") or "").rstrip(". ")
    secrets = certificates(gateway, listener)
    if condition["type"] != "ResolvedRefs" or not secrets:
        return f"{head} is not served: {message}"
    named = f"Secret {secrets[0]}" if len(secrets) == 1 else f"Secrets {', '.join(secrets)}"
    if condition.get("reason") == "RefNotPermitted":
        mend = "have its owner permit it by a ReferenceGrant in the Secret's namespace"
    else:
        mend = "make it, of type kubernetes.io/tls with tls.crt and tls.key"
    return f"{head} has no valid certificate from {named}: {message}; {mend}"
