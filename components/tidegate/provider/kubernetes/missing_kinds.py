"""Kinds that an update needs and the API server does not serve, told when it is previewed."""

from functools import partial

from tidegate.cluster.client import Cluster
from tidegate.cluster.errors import MissingKindError
from tidegate.cluster.kinds import Kind
from tidegate.provider.kubernetes.patience import in_a_preview

NO_OBJECT = {"metadata.name": "none"}
"""The answer matters, not the objects, of which there may be thousands."""


class MissingKinds:
    """Asks for each kind once: a preview of many services asks for the same few."""

    def __init__(self) -> None:
        self._is_served: dict[Kind, bool] = {}

    async def told(self, cluster: Cluster, *kinds: Kind) -> tuple[str, ...]:
        """A sentence for each that is not served. Raises ClusterError.

        No error: the same update may bring the definition.
        """
        for kind in kinds:
            if kind not in self._is_served:
                self._is_served[kind] = await in_a_preview(partial(_is_served, cluster, kind))
        return tuple(_sentence(kind) for kind in kinds if not self._is_served[kind])


async def _is_served(cluster: Cluster, kind: Kind) -> bool:
    try:
        await cluster.select(kind, fields=NO_OBJECT)
    except MissingKindError:
        return False
    return True


def _sentence(kind: Kind) -> str:
    return (
        f"the cluster does not know {kind.name} ({kind.api_version}): `pulumi up` fails unless its "
        'CustomResourceDefinition is there by then (docs/kubernetes.md, "What the cluster needs")'
    )
