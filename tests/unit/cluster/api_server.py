"""A Kubernetes API server in memory, as far as the client under test uses one.

It keeps objects, versions and generations, knows merge patches and an apply that replaces what was
applied before, and refuses as the real one does. What a controller would do is a function that
sees each object after it was written.
"""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tidegate.cluster.client import Cluster, connect

Object = dict[str, Any]
Key = tuple[str, str, str]
NAMESPACE = "team-a"
KUBECONFIG = json.dumps(
    {
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": "https://api.test:6443"}}],
        "users": [{"name": "test", "user": {"token": "not-a-secret"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
)


@dataclass
class ApiServer:
    """`objects` by plural, namespace and name. `refusals` answer the next requests instead, and
    while it `is_down` they stay `unanswered`. Objects of the plurals in `forbidden_writes` can be
    read only, and a quota lets nobody make more of those in `used_up`."""

    objects: dict[Key, Object] = field(default_factory=dict)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    is_down: bool = False
    unanswered: int = 0
    unknown_plurals: set[str] = field(default_factory=set)
    forbidden_writes: set[str] = field(default_factory=set)
    used_up: set[str] = field(default_factory=set)
    controller: Callable[[str, Object], None] = lambda plural, written: None
    before_write: Callable[[str, str], None] = lambda plural, name: None
    version: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)

    def cluster(self, namespace: str = NAMESPACE) -> Cluster:
        return connect(KUBECONFIG, None, namespace, httpx2.MockTransport(self._handle))

    def get(self, plural: str, name: str, namespace: str = NAMESPACE) -> Object:
        return self.objects[plural, namespace, name]

    def names(self, plural: str) -> list[str]:
        return sorted(name for kind, _, name in self.objects if kind == plural)

    def put(self, plural: str, content: Object, namespace: str = NAMESPACE) -> Object:
        """Store an object as somebody else would."""
        return self._store(plural, namespace, content["metadata"]["name"], content)

    # -- requests -----------------------------------------------------------------------------

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        if self.is_down:
            self.unanswered += 1
            raise httpx2.ConnectError("connection refused", request=request)
        if self.refusals:
            status, body = self.refusals.pop(0)
            kind = "application/json" if body.startswith("{") else "text/plain"
            return httpx2.Response(status, text=body, headers={"Content-Type": kind})
        parts = request.url.path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name = rest[0], rest[1] if len(rest) > 1 else ""
        self.requests.append((request.method, f"{plural}/{name}"))
        if plural in self.unknown_plurals:
            return _plain(404, "404 page not found\n")
        if request.method != "GET" and plural in self.forbidden_writes:
            return _status(403, "Forbidden", f'User "ci" cannot patch resource "{plural}"')
        if request.method in {"POST", "PUT", "PATCH"}:
            # Otherwise the real one drops what it does not know.
            assert request.url.params["fieldValidation"] == "Strict"
        is_dry_run = request.url.params.get("dryRun") == "All"
        body = json.loads(request.content) if request.content else {}
        match request.method:
            case "GET" if name:
                return self._found(plural, namespace, name)
            case "GET":
                return self._list(plural, namespace, request.url.params.get("labelSelector", ""))
            case "POST":
                return self._create(plural, namespace, body)
            case "PUT":
                return self._replace(plural, namespace, name, body)
            case "PATCH" if is_dry_run:
                return _json(200, body)
            case "PATCH":
                kind = request.headers["Content-Type"]
                return self._patch(plural, namespace, name, body, "apply" in kind)
            case _:
                return self._delete(plural, namespace, name)

    def _found(self, plural: str, namespace: str, name: str) -> httpx2.Response:
        found = self.objects.get((plural, namespace, name))
        return _missing(plural, name) if found is None else _json(200, found)

    def _list(self, plural: str, namespace: str, selector: str) -> httpx2.Response:
        wanted = dict(each.split("=", 1) for each in selector.split(",") if each)
        items = [
            each
            for (kind, place, _), each in sorted(self.objects.items())
            if kind == plural
            and place == namespace
            and wanted.items() <= (each["metadata"].get("labels") or {}).items()
        ]
        return _json(200, {"kind": "List", "metadata": {}, "items": items})

    def _create(self, plural: str, namespace: str, body: Object) -> httpx2.Response:
        name = body["metadata"]["name"]
        self.before_write(plural, name)
        if (plural, namespace, name) in self.objects:
            return _status(409, "AlreadyExists", f'{plural} "{name}" already exists')
        if plural in self.used_up:
            return _status(403, "Forbidden", f'{plural} "{name}" is forbidden: exceeded quota: few')
        return _json(201, self._store(plural, namespace, name, body))

    def _replace(self, plural: str, namespace: str, name: str, body: Object) -> httpx2.Response:
        self.before_write(plural, name)
        found = self.objects.get((plural, namespace, name))
        if found is None:
            return _missing(plural, name)
        if _is_stale(found, body):
            return _status(409, "Conflict", "the object has been modified")
        return _json(200, self._store(plural, namespace, name, body))

    def _patch(
        self, plural: str, namespace: str, name: str, body: Object, applies: bool
    ) -> httpx2.Response:
        self.before_write(plural, name)
        found = self.objects.get((plural, namespace, name))
        if found is None and not applies:
            return _missing(plural, name)
        if found is not None and _is_stale(found, body):
            return _status(409, "Conflict", "the object has been modified")
        merged = {**(found or {}), **body} if applies else _merged(found or {}, body)
        return _json(200, self._store(plural, namespace, name, merged))

    def _delete(self, plural: str, namespace: str, name: str) -> httpx2.Response:
        gone = self.objects.pop((plural, namespace, name), None)
        if gone is None:
            return _missing(plural, name)
        self._collect(gone["metadata"]["uid"])
        return _json(200, {"kind": "Status", "status": "Success"})

    def _collect(self, owner: str) -> None:
        """What the garbage collector does for owners that have gone."""
        for key, each in list(self.objects.items()):
            if any(of["uid"] == owner for of in each["metadata"].get("ownerReferences") or ()):
                del self.objects[key]

    def _store(self, plural: str, namespace: str, name: str, content: Object) -> Object:
        before = self.objects.get((plural, namespace, name), {})
        stored = deepcopy(content)
        old = before.get("metadata", {})
        self.version += 1
        changed = before.get("spec") != stored.get("spec")
        stored["metadata"] |= {
            "namespace": namespace,
            "uid": old.get("uid", f"uid-{self.version}"),
            "resourceVersion": str(self.version),
            "generation": old.get("generation", 0) + changed,
        }
        self.objects[plural, namespace, name] = stored
        self.controller(plural, stored)
        return stored


def _merged(old: Any, patch: Mapping[str, Any]) -> Object:
    """RFC 7386."""
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _merged(result.get(key), value)
        else:
            result[key] = value
    return result


def _is_stale(found: Object, body: Object) -> bool:
    wanted = body["metadata"].get("resourceVersion") if "metadata" in body else None
    return wanted is not None and wanted != found["metadata"]["resourceVersion"]


def _missing(plural: str, name: str) -> httpx2.Response:
    return _status(404, "NotFound", f'{plural} "{name}" not found')


def status(code: int, reason: str, message: str, **details: Any) -> str:
    """Body of a refusal as the API server writes it."""
    content = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
        "details": details,
    }
    return json.dumps(content)


def _status(code: int, reason: str, message: str) -> httpx2.Response:
    return httpx2.Response(
        code, text=status(code, reason, message), headers={"Content-Type": "application/json"}
    )


def _json(code: int, content: Object) -> httpx2.Response:
    return httpx2.Response(code, json=content)


def _plain(code: int, text: str) -> httpx2.Response:
    return httpx2.Response(code, text=text, headers={"Content-Type": "text/plain"})
