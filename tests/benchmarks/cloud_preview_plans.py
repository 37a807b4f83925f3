"""Clusters of either cloud with as many node pools as wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.spec.catalogue import Cloud

FABRIC_EVERY = 3
"""With it a third of the further pools are on the fabric, among 10 pools and among 50."""

NODES = {"min": 0, "max": 2}
OWNERSHIP = {"owner": "platform", "team": "serving", "environment": "prod"}


@dataclass(frozen=True)
class CloudExample:
    """A cloud, the settings of its provider, and a plan without pools.

    `on_fabric` and `plain` are the two kinds of pools that a cluster has.
    """

    cloud: Cloud
    provider: Mapping[str, str]
    plan: Mapping[str, Any]
    on_fabric: Mapping[str, Any]
    plain: Mapping[str, Any]

    def document(self, pools: int) -> dict[str, Any]:
        """Every third pool is on the fabric, the first one too: it brings the networks."""
        made = [
            {
                "name": f"pool-{number}",
                "purpose": "inference",
                "nodes": NODES,
                **(self.plain if number % FABRIC_EVERY else self.on_fabric),
            }
            for number in range(pools)
        ]
        return {**self.plan, "cloud": self.cloud, "pools": made}


AWS = CloudExample(
    cloud="aws",
    provider={"region": "us-east-1"},
    plan={
        "name": "prod",
        "region": "us-east-1",
        "zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        "ownership": OWNERSHIP,
        "network": {"nodePrefix": 18},
        "storage": {
            "hot": {
                "kind": "fsxLustre",
                "capacityGib": 38400,
                "throughput": 250,
                "efa": True,
                "zone": "us-east-1a",
                "repositoryPrefix": "sets",
            },
            "warm": {"kind": "efs"},
            "cold": {"kind": "bucket", "namePrefix": "acme-models", "lockDays": 30},
        },
    },
    on_fabric={
        "machineType": "p5.48xlarge",
        "zones": ["us-east-1a"],
        "fabric": {"kind": "efa"},
        "placement": {"compact": True},
    },
    plain={"machineType": "g6e.12xlarge"},
)
GCP = CloudExample(
    cloud="gcp",
    provider={"project": "acme-gpu", "region": "us-central1"},
    plan={
        "name": "prod",
        "project": "acme-gpu",
        "region": "us-central1",
        "zones": ["us-central1-a", "us-central1-b", "us-central1-c"],
        "ownership": OWNERSHIP,
        "storage": {
            "hot": {
                "kind": "managedLustre",
                "capacityGib": 36000,
                "throughput": 500,
                "zone": "us-central1-a",
            },
            "warm": {"kind": "filestore", "tier": "REGIONAL", "capacityGib": 10240},
            "cold": {"kind": "bucket", "namePrefix": "acme-models", "lockDays": 30},
        },
    },
    on_fabric={
        "machineType": "a3-ultragpu-8g",
        "zones": ["us-central1-a"],
        "fabric": {"kind": "gpuDirect"},
    },
    plain={"machineType": "g2-standard-48"},
)
