"""An API server: plain objects (JSON as dicts) in and out, refusals as `ClusterError`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import (
    GenericGlobalResource,
    GenericNamespacedResource,
    create_api_info,
)
from lightkube.types import CascadeType, PatchType

from tidegate.cluster.errors import (
    AlreadyExistsError,
    ClusterError,
    NotFoundError,
    Refusal,
    refused,
    unreachable,
)
from tidegate.cluster.kinds import POD, Kind
from tidegate.cluster.kubeconfig import own_service_account, read_kubeconfig
from tidegate.cluster.names import FIELD_MANAGER
from tidegate.cluster.strict_writes import make_strict
from tidegate.spec.errors import SpecError

Object = dict[str, Any]
"""A Kubernetes object as its JSON says it."""

TIMEOUT_SECONDS = 10.0


def connect(
    kubeconfig: str | None,
    context: str | None,
    namespace: str,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> "Cluster":
    """Talk to a cluster; nothing is sent yet.

    `kubeconfig` is a path or the content itself (a secret: it is never shown); None means what
    `kubectl` uses: $KUBECONFIG, or else ~/.kube/config, or else the pod's own service account.
    `context` None means the current one. Raises SpecError when these name no cluster.
    """
    return Cluster(read_kubeconfig(kubeconfig, context), namespace, transport)


def connect_as_pod(namespace: str) -> "Cluster":
    """Talk to the cluster that this process is a pod of, whatever kubeconfig there may be.

    Raises SpecError outside of a pod.
    """
    return Cluster(own_service_account(), namespace)


class Cluster:
    """One API server. Objects without a namespace of their own are in `namespace`.

    Every method raises ClusterError; its classes in `tidegate.cluster.errors` tell causes apart.
    A client belongs to one event loop.
    """

    def __init__(
        self,
        config: SingleConfig,
        namespace: str,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.namespace = namespace
        self.server = config.cluster.server
        self._classes: dict[Kind, type[Any]] = {}
        try:
            self._client = AsyncClient(
                config,
                namespace=namespace,
                field_manager=FIELD_MANAGER,
                transport=transport,
                timeout=httpx2.Timeout(TIMEOUT_SECONDS),
            )
            make_strict(self._client)
        except (ConfigError, OSError, ValueError) as error:
            raise SpecError(
                "kubeconfig",
                config.context_name,
                f"its credentials cannot be used ({type(error).__name__})",
                "a context that `kubectl` can use",
            ) from None

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """Raises NotFoundError."""
        where = self._where(kind, namespace)
        async with self._explained("read", kind, name, namespace):
            return dict(await self._client.get(self._class(kind), name, namespace=where))

    async def find(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """As `get`; None when there is no such object."""
        try:
            return await self.get(kind, name, namespace)
        except NotFoundError:
            return None

    async def select(
        self,
        kind: Kind,
        labels: Mapping[str, str] | None = None,
        namespace: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Object]:
        """Objects that carry all the labels."""
        where = self._where(kind, namespace)
        async with self._explained("read", kind, "", namespace):
            found = self._client.list(
                self._class(kind),
                namespace=where,
                labels=dict(labels or {}),
                fields=dict(fields or {}),
            )
            return [dict(each) async for each in found]

    async def has_any(self, kind: Kind, labels: Mapping[str, str]) -> bool:
        """Whether any object carries all the labels."""
        async with self._explained("read", kind, "", None):
            found = self._client.list(
                self._class(kind),
                namespace=self._where(kind, None),
                labels=dict(labels),
                chunk_size=1,
            )
            async for _ in found:
                return True
            return False

    async def create(self, kind: Kind, content: Object) -> Object:
        """Raises AlreadyExistsError."""
        meta = content["metadata"]
        where = self._where(kind, meta.get("namespace"))
        name = meta.get("name") or meta.get("generateName", "")
        async with self._explained("written", kind, name, where):
            made = self._class(kind)(self._placed(kind, content))
            return dict(await self._client.create(made))

    async def ensure(self, kind: Kind, content: Object) -> Object:
        """Create the object, or find what is there under its name."""
        meta = content["metadata"]
        while True:
            try:
                return await self.create(kind, content)
            except AlreadyExistsError:
                found = await self.find(kind, meta["name"], meta.get("namespace"))
                if found is not None:
                    return found

    async def replace(self, kind: Kind, content: Object) -> Object:
        """Raises ConflictError when the object is not the one that was read."""
        meta = content["metadata"]
        where = self._where(kind, meta.get("namespace"))
        async with self._explained("written", kind, meta["name"], where):
            made = self._class(kind)(self._placed(kind, content))
            return dict(await self._client.replace(made))

    async def patch(
        self, kind: Kind, name: str, patch: Object, namespace: str | None = None
    ) -> Object:
        """JSON merge patch; None removes a key. Raises NotFoundError."""
        where = self._where(kind, namespace)
        async with self._explained("written", kind, name, namespace):
            return dict(
                await self._client.patch(
                    self._class(kind), name, patch, namespace=where, patch_type=PatchType.MERGE
                )
            )

    async def apply(self, kind: Kind, content: Object, *, dry_run: bool = False) -> Object:
        """Server-side apply that takes over fields of others.

        With metadata.resourceVersion: raises ConflictError when the object has another. With
        `dry_run` the object is judged and not stored.
        """
        meta = content["metadata"]
        where = self._where(kind, meta.get("namespace"))
        async with self._explained("written", kind, meta["name"], where):
            return dict(
                await self._client.patch(
                    self._class(kind),
                    meta["name"],
                    self._placed(kind, content),
                    namespace=where,
                    patch_type=PatchType.APPLY,
                    force=True,
                    dry_run=dry_run,
                )
            )

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        grace_seconds: int | None = None,
    ) -> bool:
        """Ask for the deletion, dependents included; False when there was no such object."""
        where = self._where(kind, namespace)
        try:
            async with self._explained("deleted", kind, name, namespace):
                await self._client.delete(
                    self._class(kind),
                    name,
                    namespace=where,
                    grace_period=grace_seconds,
                    cascade=CascadeType.BACKGROUND,
                )
        except NotFoundError:
            return False
        return True

    async def log_tail(
        self, pod: str, lines: int, container: str | None = None, namespace: str | None = None
    ) -> list[str]:
        """The last lines of a pod's log."""
        async with self._explained("read", POD, f"{pod}'s log", namespace):
            found = self._client.log(
                pod, namespace=namespace, container=container, tail_lines=lines, newlines=False
            )
            return [line async for line in found]

    async def close(self) -> None:
        await self._client.close()

    # -- details ------------------------------------------------------------------------------

    def _where(self, kind: Kind, namespace: str | None) -> str | None:
        return (namespace or self.namespace) if kind.namespaced else None

    def _placed(self, kind: Kind, content: Object) -> Object:
        """The object with its head, and in its namespace."""
        meta = dict(content["metadata"])
        if kind.namespaced:
            meta["namespace"] = self._where(kind, meta.get("namespace"))
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        return {**head, **content, "metadata": meta}

    def _class(self, kind: Kind) -> type[Any]:
        """lightkube's class for a kind; made here, because its registry is a global."""
        if kind not in self._classes:
            base = GenericNamespacedResource if kind.namespaced else GenericGlobalResource
            info = create_api_info(kind.group, kind.version, kind.name, kind.plural)
            self._classes[kind] = type(kind.name, (base,), {"_api_info": info})
        return self._classes[kind]

    @asynccontextmanager
    async def _explained(
        self, action: str, kind: Kind, name: str, namespace: str | None
    ) -> AsyncIterator[None]:
        where = self._where(kind, namespace)
        path = "/".join(part for part in (where, name) if part)
        what = f"{kind.name} {path}" if name else f"the list of {kind.plural} in {where}"
        try:
            yield
        except httpx2.HTTPStatusError as error:
            answer = error.response
            if answer is None:
                raise ClusterError(f"{what} cannot be {action}: {error}") from error
            refusal = Refusal.of(answer.status_code, answer.text)
            described = f"the kind {kind.name} ({kind.api_version})"
            raise refused(action, what, described, self.server, refusal) from None
        except (TimeoutError, httpx2.HTTPError, OSError) as error:
            why = str(error) or type(error).__name__
            raise unreachable(action, what, self.server, why) from error
        except ConfigError as error:
            raise ClusterError(
                f"{what} cannot be {action}: the kubeconfig's way to log in failed: {error}"
            ) from error
