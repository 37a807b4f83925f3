"""EKS add-ons: those that nodes need to start, and those that need nodes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import eks

from tidegate.aws.identity import PodIdentity, PodIdentityArgs
from tidegate.aws.policies import managed_policy
from tidegate.aws.tags import named

NAMESPACE = "kube-system"
BEFORE_NODES = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    # Addresses in blocks of 16: as many pods on a node as the plan has counted with.
    "vpc-cni": {
        "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
        "enableNetworkPolicy": "true",
    },
    # The agent itself tolerates every taint; what reads the GPUs' health for it (DCGM) does not.
    "eks-node-monitoring-agent": {"dcgmAgent": {"tolerations": [{"operator": "Exists"}]}},
    # Volumes are mounted on the tainted nodes of GPUs too.
    "aws-ebs-csi-driver": {"node": {"tolerateAllTaints": True}},
    "aws-fsx-csi-driver": {"node": {"tolerateAllTaints": True}},
    "aws-mountpoint-s3-csi-driver": {"node": {"tolerateAllTaints": True}},
    "aws-efs-csi-driver": {"node": {"tolerations": [{"operator": "Exists"}]}},
}


VOLUMES_DRIVER = "aws-ebs-csi-driver"


@dataclass(frozen=True)
class Driver:
    """An add-on whose pods call AWS, as this service account and with this policy of AWS's."""

    service_account: str
    policy: str


DRIVERS: Mapping[str, Driver] = {
    "aws-ebs-csi-driver": Driver("ebs-csi-controller-sa", "service-role/AmazonEBSCSIDriverPolicy"),
    "aws-efs-csi-driver": Driver("efs-csi-controller-sa", "service-role/AmazonEFSCSIDriverPolicy"),
    "aws-fsx-csi-driver": Driver("fsx-csi-controller-sa", "AmazonFSxFullAccess"),
}


@dataclass(frozen=True, kw_only=True)
class AddonsArgs:
    """Arguments of `Addons`. `names` to `versions`; those in `needs` come first."""

    cluster: pulumi.Input[str]
    region: str
    names: Sequence[str]
    versions: Mapping[str, str]
    tags: Mapping[str, str]
    needs: Sequence[pulumi.Resource] = ()


class Addons(pulumi.ComponentResource):
    """Add-ons at pinned versions. What somebody changed in the cluster is set back."""

    made: Sequence[pulumi.Resource]

    def __init__(
        self, name: str, args: AddonsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:Addons", name, None, opts)
        self._name, self._args = name, args
        self.made = [self._addon(each) for each in args.names]
        self.register_outputs({})

    def _addon(self, addon: str) -> eks.Addon:
        args, label = self._args, f"{self._name}-{addon}"
        needs = list(args.needs)
        driver = DRIVERS.get(addon)
        if driver is not None:
            identity = PodIdentity(
                label,
                PodIdentityArgs(
                    cluster=args.cluster,
                    namespace=NAMESPACE,
                    service_account=driver.service_account,
                    managed=(managed_policy(args.region, driver.policy),),
                    tags=args.tags,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            needs.append(identity.association)
        settings = addon_settings(addon, args.tags)
        return eks.Addon(
            label,
            cluster_name=args.cluster,
            addon_name=addon,
            addon_version=args.versions[addon],
            configuration_values=json.dumps(settings, sort_keys=True) if settings else None,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=named(args.tags, label),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )


def addon_settings(addon: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """Pods' volumes carry the cluster's tags by the driver's settings: a class cannot change."""
    settings = dict(SETTINGS.get(addon, {}))
    if addon == VOLUMES_DRIVER:
        settings["controller"] = {"extraVolumeTags": dict(tags)}
    return settings
