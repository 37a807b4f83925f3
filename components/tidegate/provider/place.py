"""Where a stack's services are: a cluster and a namespace, which an update cannot change.

Nothing moves in place: routes and slots would be made in the new place, and the old ones withdrawn
in the same update, before anybody leads users to the new Gateway.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import CheckFailure
from tidegate.provider.values import contains_unknown
from tidegate.spec.errors import SpecError

GUIDE = "docs/kubernetes.md, Another namespace or another cluster"
AND_NOTHING_MOVES = "slots, routes and records do not move, and users would lose the old ones"


@dataclass(frozen=True)
class Place:
    """As the provider is told of it."""

    namespace: str
    kubeconfig: str | None
    context: str | None

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> "Place | None":
        """None for the embedded platform, and while a part of it is not known."""
        found = configuration.get("kubernetes")
        if not isinstance(found, Mapping) or not isinstance(found.get("namespace"), str):
            return None
        kubeconfig, context = found.get("kubeconfig"), found.get("context")
        if contains_unknown([kubeconfig, context]):
            return None
        return cls(found["namespace"], kubeconfig, context)

    def server(self) -> str | None:
        """The API server's address; None when no kubeconfig can be read here."""
        from tidegate.cluster.kubeconfig import read_kubeconfig

        try:
            url = urlsplit(read_kubeconfig(self.kubeconfig, self.context).cluster.server)
            port = url.port or {"http": 80}.get(url.scheme, 443)
        except ValueError:  # a SpecError is one
            return None
        return f"{url.scheme}://{url.hostname}:{port}{url.path.rstrip('/')}"


Moved = Callable[[Mapping[str, Any], Mapping[str, Any]], Awaitable[SpecError | None]]
"""Why new configuration would leave behind what the old one has made. Raises ProviderError."""
ClusterIdOf = Callable[[Place], Awaitable[str | None]]


async def stays(olds: Mapping[str, Any], news: Mapping[str, Any]) -> SpecError | None:
    """For a provider whose services are nowhere else, whatever its configuration."""
    return None


async def refused_move(
    moved: Moved, olds: Mapping[str, Any], news: Mapping[str, Any]
) -> list[CheckFailure]:
    """A move as an error on the property at fault.

    The engine passes no old inputs for a new provider, nor where the user has it replaced
    (`pulumi up --replace <its URN>`): the way out when the former cluster is lost.
    """
    try:
        move = await moved(olds, news) if olds else None
    except ProviderError as error:
        return [CheckFailure("", str(error))]
    return [CheckFailure(move.field, str(move))] if move is not None else []


async def cluster_id(place: Place) -> str | None:
    """What tells two clusters apart whatever their addresses; None when it may not be read.

    Every namespace has this ConfigMap, made by the cluster itself. Raises ClusterError when the
    API server does not answer, or not to these credentials.
    """
    from tidegate.cluster.client import connect
    from tidegate.cluster.errors import ForbiddenError, NotFoundError
    from tidegate.cluster.kinds import CONFIG_MAP

    cluster = connect(place.kubeconfig, place.context, place.namespace)
    try:
        found = await cluster.get(CONFIG_MAP, "kube-root-ca.crt")
    except (ForbiddenError, NotFoundError):
        return None
    finally:
        await cluster.close()
    return str(found["metadata"]["uid"])


async def moved(
    olds: Mapping[str, Any], news: Mapping[str, Any], id_of: ClusterIdOf = cluster_id
) -> SpecError | None:
    """Why the new configuration of a provider would move its services; None when it does not.

    Other credentials, another text or path of a kubeconfig and another address of the same cluster
    are no move, and neither is what cannot be compared. Raises ProviderError when the new API
    server cannot be asked.
    """
    old, new = Place.of(olds), Place.of(news)
    if old is None or new is None:
        return None
    if old.namespace != new.namespace:
        return SpecError(
            "kubernetes.namespace",
            new.namespace,
            f"this stack's services are in {old.namespace!r}; {AND_NOTHING_MOVES}",
            _instead(old.namespace, new.namespace),
        )
    if (old.kubeconfig, old.context) == (new.kubeconfig, new.context):
        return None
    before, after = old.server(), new.server()
    if before is None or after is None or before == after:
        return None
    if await _is_one_cluster(old, new, id_of):
        return None
    return SpecError(
        "kubernetes.kubeconfig",
        after,
        f"this stack's services are on {before}, and nothing shows that both are one cluster; "
        f"{AND_NOTHING_MOVES}",
        f"{_instead(before, after)}. Another address of the same cluster is taken while both "
        "answer; where the former one is lost, see there",
    )


async def _is_one_cluster(old: Place, new: Place, id_of: ClusterIdOf) -> bool:
    from tidegate.cluster.errors import ClusterError

    try:
        found = await id_of(new)
    except ClusterError as error:
        raise ProviderError(str(error)) from error
    try:
        return found is not None and found == await id_of(old)
    except (ClusterError, SpecError):
        return False


def _instead(old: str, new: str) -> str:
    return (
        f"{old!r}; to move, a stack of its own with {new!r} beside this one, and `pulumi destroy` "
        f"of this one once users are led there ({GUIDE})"
    )
