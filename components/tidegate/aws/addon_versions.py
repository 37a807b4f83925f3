"""Versions of EKS add-ons, pinned for each version of Kubernetes.

`aws eks describe-addon-versions --kubernetes-version 1.34` lists what there is. Raise a pin with a
change of this file, so that an update of a cluster is one that somebody reviewed.
"""

from collections.abc import Mapping

from tidegate.spec.errors import SpecError

_FOR_EVERY_VERSION = {
    "aws-ebs-csi-driver": "v1.54.0-eksbuild.1",
    "aws-efs-csi-driver": "v2.1.15-eksbuild.1",
    "aws-fsx-csi-driver": "v1.5.1-eksbuild.1",
    "aws-mountpoint-s3-csi-driver": "v2.3.0-eksbuild.1",
    "eks-node-monitoring-agent": "v1.4.0-eksbuild.2",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
    "vpc-cni": "v1.20.4-eksbuild.2",
}
_BY_VERSION = {
    "1.33": {"coredns": "v1.12.2-eksbuild.4", "kube-proxy": "v1.33.3-eksbuild.4"},
    "1.34": {"coredns": "v1.12.3-eksbuild.1", "kube-proxy": "v1.34.0-eksbuild.2"},
}


def addon_versions(kubernetes_version: str, pins: Mapping[str, str]) -> dict[str, str]:
    """Version of each add-on; `pins` are the user's own and come first.

    Raises SpecError when nothing is pinned for this version of Kubernetes.
    """
    needed = {"coredns", "kube-proxy"}
    known = _BY_VERSION.get(kubernetes_version)
    if known is None and not needed <= pins.keys():
        raise SpecError(
            "kubernetesVersion",
            kubernetes_version,
            "no versions of its add-ons are pinned",
            f"one of {', '.join(_BY_VERSION)}, or addonVersions with coredns and kube-proxy, as "
            f"`aws eks describe-addon-versions --kubernetes-version {kubernetes_version}` lists",
        )
    return {**_FOR_EVERY_VERSION, **(known or {}), **pins}
