"""Another configuration of the provider: what would leave a stack's services behind."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cluster.api_server import ApiServer, status
from tests.unit.provider.test_configuration import CLUSTER, EMBEDDED
from tidegate.cluster import client
from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import ClusterError, UnauthorizedError, UnreachableError
from tidegate.provider.errors import ProviderError
from tidegate.provider.place import Place, cluster_id, moved, refused_move, stays
from tidegate.provider.values import UNKNOWN
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit

A, B = "https://a.test:6443", "https://b.test:6443"


def kubeconfig(server: str, token: str = "one", indent: int | None = None) -> str:  # noqa: S107
    """A context for each letter; the current one leads to `server`."""
    servers = {"current": server, "a": A, "b": B}
    content = {
        "current-context": "current",
        "clusters": [{"name": n, "cluster": {"server": url}} for n, url in servers.items()],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": n, "context": {"cluster": n, "user": "u"}} for n in servers],
    }
    return json.dumps(content, indent=indent)


def configuration(**changes: Any) -> dict[str, Any]:
    fields = {**CLUSTER, "kubeconfig": kubeconfig(A)} | changes
    return {"kubernetes": {name: value for name, value in fields.items() if value is not None}}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """Whoever connects reaches this one."""
    api = ApiServer()

    def to_it(kubeconfig: str | None, context: str | None, namespace: str) -> Cluster:
        return api.cluster(namespace)

    monkeypatch.setattr(client, "connect", to_it)
    return api


class Clusters:
    """Clusters by their address, as `cluster_id` knows them; an error is raised."""

    def __init__(self, **ids: str | ClusterError | None) -> None:
        self.ids = {f"https://{name}.test:6443": value for name, value in ids.items()}
        self.asked: list[str | None] = []

    async def id_of(self, place: Place) -> str | None:
        server = place.server()
        self.asked.append(server)
        found = self.ids.get(server or "")
        if isinstance(found, ClusterError):
            raise found
        return found


async def said(old: dict[str, Any], new: dict[str, Any], clusters: Clusters | None = None) -> str:
    known = clusters or Clusters(a="uid-a", b="uid-b")
    move = await moved(old, new, known.id_of)
    return str(move or "")


async def test_another_namespace_is_refused_with_the_way_to_move() -> None:
    reason = await said(configuration(), configuration(namespace="team-b"))

    assert reason.startswith("kubernetes.namespace: 'team-b' cannot work: this stack's services")
    assert "are in 'team-a'" in reason
    assert "a stack of its own with 'team-b' beside this one" in reason


async def test_another_namespace_is_seen_without_a_kubeconfig_that_can_be_read() -> None:
    nowhere = configuration(kubeconfig="/nonexistent/config")

    assert "'team-b'" in await said(nowhere, configuration(namespace="team-b"))


@pytest.mark.parametrize(
    "new",
    [
        configuration(kubeconfig=kubeconfig(B)),
        configuration(context="b"),
        configuration(kubeconfig=kubeconfig("https://a.test:7443")),
    ],
)
async def test_another_cluster_is_refused_with_both_addresses(new: dict[str, Any]) -> None:
    reason = await said(configuration(), new)

    assert reason.startswith("kubernetes.kubeconfig: 'https://")
    assert f"this stack's services are on {A}" in reason
    assert "Another address of the same cluster is taken while both answer" in reason


async def test_a_cluster_behind_another_address_is_the_same() -> None:
    same = Clusters(a="uid-a", b="uid-a")

    assert await said(configuration(), configuration(kubeconfig=kubeconfig(B)), same) == ""
    assert same.asked == [B, A]


@pytest.mark.parametrize("old", [None, UnreachableError("silent"), UnauthorizedError("expired")])
async def test_a_former_address_that_tells_nothing_shows_no_same_cluster(
    old: ClusterError | None,
) -> None:
    clusters = Clusters(a=old, b="uid-a")

    assert A in await said(configuration(), configuration(kubeconfig=kubeconfig(B)), clusters)


async def test_two_clusters_that_tell_nothing_are_not_one() -> None:
    clusters = Clusters(a=None, b=None)

    assert A in await said(configuration(), configuration(kubeconfig=kubeconfig(B)), clusters)


async def test_a_new_server_that_does_not_answer_is_told_as_such() -> None:
    clusters = Clusters(a="uid-a", b=UnreachableError(f"{B} does not answer"))
    new = configuration(kubeconfig=kubeconfig(B))

    with pytest.raises(ProviderError, match="does not answer"):
        await moved(configuration(), new, clusters.id_of)
    (failure,) = await refused_move(
        lambda olds, news: moved(olds, news, clusters.id_of), configuration(), new
    )
    assert failure.reason == f"{B} does not answer"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (configuration(), configuration(runnerImage="registry.test/tidegate/runner:2")),
        (configuration(), configuration(kubeconfig=kubeconfig(A, token="two"))),  # noqa: S106
        (configuration(), configuration(kubeconfig=kubeconfig(A, indent=2))),
        (configuration(), configuration(context="a")),
        (configuration(), configuration(kubeconfig=kubeconfig("https://A.test:6443/"))),
        (
            configuration(kubeconfig=kubeconfig("https://a.test")),
            configuration(kubeconfig=kubeconfig("https://a.test:443")),
        ),
        (configuration(kubeconfig="/nonexistent/config"), configuration()),
        (configuration(), configuration(kubeconfig="/nonexistent/config")),
        (configuration(), configuration(context="no-such-context")),
        (configuration(), configuration(kubeconfig=UNKNOWN)),
        (configuration(), {"kubernetes": UNKNOWN}),
        (EMBEDDED, EMBEDDED | {"environment": "other"}),
        (EMBEDDED, configuration()),
        ({}, configuration()),
    ],
)
async def test_nothing_else_is_a_move(old: dict[str, Any], new: dict[str, Any]) -> None:
    clusters = Clusters()

    assert await said(old, new, clusters) == ""
    assert clusters.asked == []


async def test_a_cluster_is_known_by_what_it_puts_into_every_namespace(api: ApiServer) -> None:
    place = Place("team-a", None, None)
    assert await cluster_id(place) is None

    made = api.put("configmaps", {"metadata": {"name": "kube-root-ca.crt"}})
    assert await cluster_id(place) == made["metadata"]["uid"]
    assert await cluster_id(Place("team-b", None, None)) is None

    api.refusals = [(403, status(403, "Forbidden", 'User "x" cannot get "configmaps"'))]
    assert await cluster_id(place) is None
    api.is_down = True
    with pytest.raises(UnreachableError):
        await cluster_id(place)


async def test_a_path_and_its_content_are_one_cluster(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig(A))

    assert await said(configuration(), configuration(kubeconfig=str(path))) == ""


async def test_a_provider_that_is_new_or_stays_is_not_refused() -> None:
    async def moves(olds: object, news: object) -> SpecError | None:
        return SpecError("kubernetes.namespace", "b", "it moves", "a")

    assert await refused_move(moves, {}, configuration()) == []
    assert await refused_move(stays, configuration(), configuration()) == []
    (failure,) = await refused_move(moves, configuration(), configuration())
    assert failure.property == "kubernetes.namespace"
