"""A cluster that takes every object; charts are recorded as they are asked for."""

from dataclasses import replace

from tests.cloud.harness.cloud_rules import TypeRule

SURROUNDINGS: dict[str, str] = {}

OBJECT_RULE = TypeRule("{metadata.namespace}/{metadata.name}", put=True)
"""Objects are created by server-side apply, which takes over one that is there.

So does the real provider up to 4.28. Since 4.29 it does with `PULUMI_K8S_UPSERT_EXISTING_OBJECTS`:
https://github.com/pulumi/pulumi-kubernetes/pull/4278
"""

RULES = {
    # What pulumi-kubernetes replaces of these (forceNewProperties).
    "kubernetes:storage.k8s.io/v1:StorageClass": replace(
        OBJECT_RULE, replaces=("parameters", "provisioner")
    ),
    "kubernetes:core/v1:PersistentVolume": replace(OBJECT_RULE, replaces=("spec.csi",)),
    "kubernetes:core/v1:PersistentVolumeClaim": replace(
        OBJECT_RULE, replaces=("spec.accessModes", "spec.storageClassName", "spec.volumeName")
    ),
    # Objects with names of their own in the chart belong to the first release.
    "kubernetes:helm.sh/v3:Release": TypeRule(
        "{namespace}/{name}", unique=("namespace", "chart"), replaces=("namespace",)
    ),
}
