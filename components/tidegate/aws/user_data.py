"""What a node is told when it starts."""

import base64

import yaml

from tidegate.spec.resolved_pool import ResolvedPool

BOUNDARY = "//"


def user_data(pool: ResolvedPool) -> str:
    """Base64 of the node's settings. EKS adds the cluster's own to them."""
    family = pool.pool.image.family or "al2023"
    text = _bottlerocket(pool) if family == "bottlerocket" else _al2023(pool)
    return base64.b64encode(text.encode()).decode()


def _al2023(pool: ResolvedPool) -> str:
    """A MIME document for nodeadm. https://awslabs.github.io/amazon-eks-ami/nodeadm/"""
    spec: dict[str, object] = {"kubelet": {"config": {"maxPods": pool.pool.max_pods}}}
    if pool.eks is not None and pool.eks.raid0:
        # containerd and kubelet move to the joined NVMe disks.
        spec["instance"] = {"localStorage": {"strategy": "RAID0"}}
    node = {"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": spec}
    return "\n".join(
        [
            "MIME-Version: 1.0",
            f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"',
            "",
            f"--{BOUNDARY}",
            "Content-Type: application/node.eks.aws",
            "",
            yaml.safe_dump(node, sort_keys=True),
            f"--{BOUNDARY}--",
            "",
        ]
    )


def _bottlerocket(pool: ResolvedPool) -> str:
    """Settings of Bottlerocket; its local disks are joined by a bootstrap command (1.22 on)."""
    lines = ["[settings.kubernetes]", f"max-pods = {pool.pool.max_pods}"]
    if pool.eks is not None and pool.eks.raid0:
        lines += [
            "[settings.bootstrap-commands.local-disks]",
            'commands = [["apiclient", "ephemeral-storage", "init"], '
            '["apiclient", "ephemeral-storage", "bind", "--dirs", '
            '"/var/lib/containerd", "/var/lib/kubelet", "/var/log/pods"]]',
            'mode = "always"',
            "essential = true",
        ]
    return "\n".join([*lines, ""])
