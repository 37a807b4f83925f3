"""What can be known to be wrong before any load is sent, in words about the cause."""

import http.client
import json
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

from tidegate.gate.arms import Arm
from tidegate.gate.context import Problem
from tidegate.gate.protocols.base import RequestError
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.protocols.grpc import ask_for_metadata
from tidegate.gate.samples import ErrorKind
from tidegate.spec.signature import TensorSpec

_TIMEOUT_SECONDS = 2.0
_SHOWN = 200
_NOT_ALLOWED = ("UNAUTHENTICATED", "PERMISSION_DENIED")


def preflight(arms: Sequence[Arm]) -> Problem | None:
    """Whether each server can be reached, lets us in and has the model, as far as it says so.

    A server that accepts and does not answer is no such problem: the load decides about it.
    """
    for arm in arms:
        problem = _http_problem(arm)
        if problem is None and arm.grpc is not None:
            problem = _grpc_problem(arm, arm.grpc)
        if problem is not None:
            return problem
    return None


def _http_problem(arm: Arm) -> Problem | None:
    target = arm.http.target
    connection = http.client.HTTPConnection(target, timeout=_TIMEOUT_SECONDS)
    try:
        connection.sock = arm.http.connected(_TIMEOUT_SECONDS)
        headers = {"Accept-Encoding": "identity", **dict(arm.http.headers())}
        connection.request("GET", f"/v2/models/{arm.signature.name}", headers=headers)
        response = connection.getresponse()
        status, body = response.status, response.read()
    except TimeoutError:
        return None
    except ssl.SSLError as error:
        return _tls_problem(target, str(error.reason or error))
    except ConnectionRefusedError as error:
        return _unreachable(target, str(error.strerror))
    except (OSError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        return Problem(
            f"the server at {target} does not answer HTTP ({said})",
            "correct the target; if the server expects TLS, set tls",
        )
    finally:
        connection.close()
    return _metadata_problem(arm, target, status, body)


def _metadata_problem(arm: Arm, target: str, status: int, body: bytes) -> Problem | None:
    shown = body[:_SHOWN].decode(errors="replace").strip()
    if status in (401, 403):
        return _no_entry(arm, target, f"HTTP {status}: {shown}")
    if status in (400, 404):
        return _no_model(arm, target, f"HTTP {status}: {shown}")
    try:
        content = json.loads(body) if status == 200 else None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return None
    found = {role: content.get(role) for role in ("inputs", "outputs")}
    return _signature_problem(arm, target, found)


def _grpc_problem(arm: Arm, endpoint: Endpoint) -> Problem | None:
    target = endpoint.target
    try:
        metadata = ask_for_metadata(endpoint, arm.signature.name, _TIMEOUT_SECONDS)
    except RequestError as error:
        words = str(error)
        if any(name in words for name in _NOT_ALLOWED):
            return _no_entry(arm, target, words)
        if "NOT_FOUND" in words:
            return _no_model(arm, target, words)
        if words.startswith("TLS"):
            return _tls_problem(target, words)
        if error.kind is ErrorKind.CONNECTION:
            return _unreachable(target, words)
        return None
    described = {
        role: [
            {"name": each.name, "datatype": each.datatype, "shape": list(each.shape)}
            for each in getattr(metadata, role)
        ]
        for role in ("inputs", "outputs")
    }
    return _signature_problem(arm, target, described)


def _signature_problem(arm: Arm, target: str, described: dict[str, Any]) -> Problem | None:
    for role, expected in (("inputs", arm.signature.inputs), ("outputs", arm.signature.outputs)):
        found = described[role]
        if not isinstance(found, list) or not found:
            continue
        words = _difference(expected, found)
        if words is not None:
            return Problem(
                f"the model {arm.signature.name} at {target} has other {role} than the golden set: "
                f"{words}",
                "use the golden set of this model, or point the gate at the model it belongs to",
            )
    return None


def _difference(expected: Iterable[TensorSpec], found: list[Any]) -> str | None:
    served = {each.get("name"): each for each in found if isinstance(each, dict)}
    for tensor in expected:
        each = served.get(tensor.name)
        if each is None:
            return f"no {tensor.name}, but {', '.join(sorted(map(str, served)))}"
        if each.get("datatype") != tensor.datatype:
            return f"{tensor.name} is {each.get('datatype')}, not {tensor.datatype}"
        shape = [int(size) for size in each.get("shape", [])]
        fits = len(shape) == len(tensor.shape) and all(
            -1 in (size, wanted) or size == wanted
            for size, wanted in zip(shape, tensor.shape, strict=True)
        )
        if not fits:
            return f"{tensor.name} has shape {shape}, not {list(tensor.shape)}"
    return None


def _unreachable(target: str, said: str) -> Problem:
    return Problem(
        f"the server is unreachable at {target} ({said})",
        "start the server, or correct the target",
    )


def _tls_problem(target: str, said: str) -> Problem:
    return Problem(
        f"TLS to {target} failed ({said})",
        "give tls.caFile the authority that signed the server's certificate and tls.serverName the "
        "name in it; leave tls out for a server without TLS",
    )


def _no_entry(arm: Arm, target: str, said: str) -> Problem:
    key = "the API key" if arm.http.api_key is not None else "requests without an API key"
    return Problem(
        f"the server at {target} refuses {key} ({said})", "set apiKey to a key that it accepts"
    )


def _no_model(arm: Arm, target: str, said: str) -> Problem:
    return Problem(
        f"the server at {target} has no model {arm.signature.name} ({said})",
        "correct the model's name, or point the gate at the server that has it",
    )
