"""What clusters on Google Cloud ask for has names that its API takes, as its protos say."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import compute_v1, container_v1

from tests.unit.gcp.declared import CLUSTER, NODE_POOL, declare
from tests.unit.spec.cluster_documents import Document, gcp, pool

pytestmark = pytest.mark.cloud

RESERVED: Document = {"kind": "reservation", "reservation": "gpus"}
ZONE: Document = {"zones": ["us-central1-a"]}
EVERYTHING = gcp(
    pool("g2-standard-48", name="shared", sharing={"strategy": "mps", "clients": 2}, nodes=3)
    | {"purpose": "inference"},
    pool("g2-standard-8", name="green", upgrade={"strategy": "blueGreen"}),
    pool("a2-ultragpu-1g", name="parts", sharing={"migProfile": "1g.10gb"}),
    pool("a3-megagpu-8g", name="near", placement={"compact": True}, capacity=RESERVED, **ZONE),
    pool("a4-highgpu-8g", name="flex", capacity={"kind": "flexStart"}, **ZONE),
    pool(
        "a4x-highgpu-4g",
        name="domain",
        fabric={"kind": "gpuDirect", "mode": "managed"},
        placement={"compact": True, "topology": "1x72"},
        capacity={"kind": "reservation", "reservation": "domain"},
        **ZONE,
    ),
)

POOL_NAMES = {
    "autoscaling.locationPolicy": container_v1.NodePoolAutoscaling.LocationPolicy,
    "nodeConfig.gpudirectStrategy": container_v1.GPUDirectConfig.GPUDirectStrategy,
    "nodeConfig.guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion": (
        container_v1.GPUDriverInstallationConfig.GPUDriverVersion
    ),
    "nodeConfig.guestAccelerators.gpuSharingConfig.gpuSharingStrategy": (
        container_v1.GPUSharingConfig.GPUSharingStrategy
    ),
    "nodeConfig.reservationAffinity.consumeReservationType": container_v1.ReservationAffinity.Type,
    "nodeConfig.taintConfig.architectureTaintBehavior": (
        container_v1.TaintConfig.ArchitectureTaintBehavior
    ),
    "nodeConfig.taints.effect": container_v1.NodeTaint.Effect,
    "nodeConfig.workloadMetadataConfig.mode": container_v1.WorkloadMetadataConfig.Mode,
    "placementPolicy.type": container_v1.NodePool.PlacementPolicy.Type,
    "upgradeSettings.strategy": container_v1.NodePoolUpdateStrategy,
}
CLUSTER_NAMES = {
    "databaseEncryption.state": container_v1.DatabaseEncryption.State,
    "datapathProvider": container_v1.DatapathProvider,
    "loggingConfig.enableComponents": container_v1.LoggingComponentConfig.Component,
    "maintenancePolicy.maintenanceExclusions.exclusionOptions.scope": (
        container_v1.MaintenanceExclusionOptions.Scope
    ),
    "maintenancePolicy.maintenanceExclusions.exclusionOptions.endTimeBehavior": (
        container_v1.MaintenanceExclusionOptions.EndTimeBehavior
    ),
    "monitoringConfig.enableComponents": container_v1.MonitoringComponentConfig.Component,
    "releaseChannel.channel": container_v1.ReleaseChannel.Channel,
    "securityPostureConfig.mode": container_v1.SecurityPostureConfig.Mode,
}


def test_every_enumerated_value_is_the_apis() -> None:
    declared = declare(EVERYTHING)
    pools = [each.inputs for each in declared.of(NODE_POOL)]
    for path, enumeration in POOL_NAMES.items():
        _check(path, enumeration, [value for each in pools for value in _at(each, path)])
    cluster = declared.only(CLUSTER)
    for path, enumeration in CLUSTER_NAMES.items():
        _check(path, enumeration, list(_at(cluster, path)))
    policy = declared.only("gcp:compute/resourcePolicy:ResourcePolicy")["workloadPolicy"]
    _check("type", compute_v1.ResourcePolicyWorkloadPolicy.Type, [policy["type"]])


def _check(path: str, enumeration: Any, values: list[str]) -> None:
    assert values, path
    assert set(values) <= {each.name for each in enumeration}, path


def _at(value: Any, path: str) -> Iterator[Any]:
    """Every value at a dotted path, through lists; none where something on the way is absent."""
    if isinstance(value, list):
        for each in value:
            yield from _at(each, path)
    elif not path:
        yield value
    elif value is not None:
        name, _, rest = path.partition(".")
        yield from _at(value.get(name), rest) if value.get(name) is not None else ()
