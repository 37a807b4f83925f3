"""What a namespace has before its first slot, as plain manifests."""

from tidegate.cluster.names import STACK_ANNOTATION, labels
from tidegate.kubernetes.objects import Manifest, manifest

PRIORITY = 1_000_000
"""Above work without a class (0) and usual batch classes, below the cluster's own (2 * 10^9)."""
_POD_SECURITY = "pod-security.kubernetes.io"


def namespace_object(namespace: str, stack: str) -> Manifest:
    """Pods of ours keep to `restricted`; an image volume is not in its list everywhere."""
    levels = {f"{_POD_SECURITY}/enforce": "baseline", f"{_POD_SECURITY}/warn": "restricted"}
    of = {STACK_ANNOTATION: stack}
    return manifest("v1", "Namespace", namespace, None, {**labels(), **levels}, of)


def priority_class_name(namespace: str) -> str:
    """It belongs to the whole cluster, so the name says whose it is."""
    return f"{namespace}-serving"


def priority_class(namespace: str) -> Manifest:
    """One for all slots: a pod's priority cannot change when its revision takes the traffic."""
    return manifest(
        "scheduling.k8s.io/v1",
        "PriorityClass",
        priority_class_name(namespace),
        None,
        labels(),
        value=PRIORITY,
        globalDefault=False,
        description="Inference servers. One class for all, with traffic or without.",
    )
