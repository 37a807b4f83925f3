"""What a pod asks of a node beside processors, memory and GPUs: network cards, for instance."""

import re
from collections.abc import Mapping

from tidegate.spec.errors import SpecError

FIELD = "extendedResources"
EFA = "vpc.amazonaws.com/efa"
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?")
_OWN_KEYS = {"cpu": "cpus", "memory": "memoryGib", "hugepages-2Mi": "hugepagesGib"}
_NATIVE = "kubernetes.io/"


def check_extended_resources(asked: Mapping[str, int], gpu_resource: str) -> None:
    """Raise SpecError for a resource that is no extended one of Kubernetes, or has its own key."""
    for name in asked:
        if name == gpu_resource:
            raise SpecError(FIELD, name, "GPUs have a key of their own", f"gpus: {asked[name]}")
        if name in _OWN_KEYS:
            mend = f"{_OWN_KEYS[name]}: <amount>"
            raise SpecError(FIELD, name, "it has a key of its own", mend)
        if not _NAME.fullmatch(name) or _NATIVE in name or name.startswith("requests."):
            raise SpecError(
                FIELD,
                name,
                "Kubernetes counts as extended resources only those that a device plugin offers "
                "under a domain of its own",
                f"a name such as '{EFA}' or 'rdma/<name>', as `kubectl describe node` lists it "
                "under Allocatable",
            )


def check_offered(asked: Mapping[str, int], pool: str, offered: Mapping[str, int]) -> None:
    """Raise SpecError when a node has fewer. What the pool does not name may be there."""
    for name, count in asked.items():
        there = offered.get(name)
        if there is None or count <= there:
            continue
        raise SpecError(
            FIELD,
            f"{name}: {count}",
            f"a node of the pool {pool} has {there} of them, so no pod would ever be scheduled",
            f"{name}: {there}, or a pool whose nodes have more"
            if there
            else f"a pool whose nodes have {name}, or no such key",
        )
