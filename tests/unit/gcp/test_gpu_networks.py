"""Networks between GPUs: their number, size and order for each machine type."""

from typing import Any

import pytest

from tests.unit.gcp.declared import NETWORK, SUBNETWORK, Declarations, declare
from tests.unit.spec.cluster_documents import gcp, pool

pytestmark = pytest.mark.unit

FABRIC = {"kind": "gpuDirect"}
RESERVED = {"kind": "reservation", "reservation": "gpus"}

# Networks beside the cluster's own, subnetworks in them, and their MTU in bytes. After
# https://docs.cloud.google.com/kubernetes-engine/docs/how-to/gpu-bandwidth-gpudirect-tcpx and
# https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom
PUBLISHED = [
    ("a3-highgpu-8g", 4, 4, 8244),
    ("a3-megagpu-8g", 8, 8, 8244),
    ("a3-ultragpu-8g", 2, 9, 8896),
    ("a4-highgpu-8g", 2, 9, 8896),
]


def with_fabric(machine_type: str, **changes: Any) -> Declarations:
    settings = {"fabric": FABRIC, "capacity": RESERVED, "zones": ["us-central1-b"]}
    return declare(gcp(pool(machine_type, **{**settings, **changes})))


@pytest.mark.parametrize(("machine_type", "networks", "subnetworks", "mtu"), PUBLISHED)
def test_each_type_has_the_networks_that_google_publishes(
    machine_type: str, networks: int, subnetworks: int, mtu: int
) -> None:
    declared = with_fabric(machine_type)
    own = [each for each in declared.of(NETWORK) if each.name != "prod"]
    assert [each.inputs["mtu"] for each in own] == [mtu] * networks
    assert len(declared.of(SUBNETWORK)) == subnetworks + 1
    attached = declared.pool("gpus")["networkConfig"]["additionalNodeNetworkConfigs"]
    assert len(attached) == subnetworks


def test_rdma_has_a_profile_of_its_zone_no_firewall_and_comes_after_the_gvnics() -> None:
    declared = with_fabric("a3-ultragpu-8g")
    rdma = declared.only(NETWORK, "prod-rdma-b-gpu")
    assert rdma["networkProfile"].endswith("/global/networkProfiles/us-central1-b-vpc-roce")
    assert rdma["routingMode"] == "REGIONAL"
    firewalls = declared.of("gcp:compute/firewall:Firewall")
    guarded = {each.inputs["network"] for each in firewalls}
    assert guarded == {"prod-id", "prod-rdma-b-gvnic-1-id"}
    attached = declared.pool("gpus")["networkConfig"]["additionalNodeNetworkConfigs"]
    assert [each["network"] for each in attached] == [
        "prod-rdma-b-gvnic-1",
        *["prod-rdma-b-gpu"] * 8,
    ]


def test_pods_find_the_networks_under_names_in_the_cluster() -> None:
    declared = with_fabric("a3-ultragpu-8g")
    parameters = declared.of("kubernetes:networking.gke.io/v1:GKENetworkParamSet")
    modes = [each.inputs["spec"]["deviceMode"] for each in parameters]
    assert modes == ["NetDevice", *["RDMA"] * 8]
    networks = declared.of("kubernetes:networking.gke.io/v1:Network")
    names = [each.inputs["metadata"]["name"] for each in networks]
    assert names == ["rdma-b-gvnic-1", *(f"rdma-b-gpu-{index}" for index in range(8))]
    assert {each.inputs["spec"]["type"] for each in networks} == {"Device"}
    for network, of in zip(networks, parameters, strict=True):
        assert network.inputs["spec"]["parametersRef"]["name"] == of.inputs["metadata"]["name"]


def test_managed_networks_are_gkes_own() -> None:
    declared = with_fabric(
        "a4x-highgpu-4g", nodes=18, fabric={"kind": "gpuDirect", "mode": "managed"}
    )
    assert [each.name for each in declared.of(NETWORK)] == ["prod"]
    made = declared.pool("gpus")
    assert made["networkConfig"]["acceleratorNetworkProfile"] == "auto"
    assert "additionalNodeNetworkConfigs" not in made["networkConfig"]
    assert made["nodeConfig"]["gpudirectStrategy"] == "RDMA"
    assert made["nodeConfig"]["labels"]["cloud.google.com/gke-networking-dra-driver"] == "true"


def test_another_pool_moves_no_network() -> None:
    alone = with_fabric("a4-highgpu-8g")
    more = declare(
        gcp(
            pool("a3-megagpu-8g", name="mega", fabric=FABRIC),
            pool("a4-highgpu-8g", fabric=FABRIC, capacity=RESERVED, zones=["us-central1-b"]),
        )
    )
    before = {each.name: each.inputs["ipCidrRange"] for each in alone.of(SUBNETWORK)}
    after = {each.name: each.inputs["ipCidrRange"] for each in more.of(SUBNETWORK)}
    assert before.items() <= after.items()
    assert len(set(after.values())) == len(after)


@pytest.mark.parametrize(
    ("machine_type", "mode", "image", "accelerator"),
    [
        ("a3-ultragpu-8g", "explicit", "nccl-plugin-gib:v", "nvidia-h200-141gb"),
        ("a4-highgpu-8g", "managed", "nccl-plugin-gib:v", "nvidia-b200"),
        ("a4x-highgpu-4g", "managed", "nccl-plugin-gib-arm64:v", "nvidia-gb200"),
        ("a3-highgpu-8g", "explicit", "gpudirect-tcpx/nccl-plugin-", "nvidia-h100-80gb"),
        ("a3-megagpu-8g", "explicit", "gpudirect-tcpxo/nccl-plugin-", "nvidia-h100-mega-80gb"),
    ],
)
def test_nodes_with_gpudirect_get_their_nccl_plugin(
    machine_type: str, mode: str, image: str, accelerator: str
) -> None:
    declared = with_fabric(machine_type, fabric={"kind": "gpuDirect", "mode": mode}, nodes=18)
    sets = [each.inputs for each in declared.of("kubernetes:apps/v1:DaemonSet")]
    (installer,) = (each for each in sets if each["metadata"]["name"].endswith("-installer"))
    pod = installer["spec"]["template"]["spec"]
    assert image in pod["initContainers"][-1]["image"]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"][0]["values"] == [accelerator]


@pytest.mark.parametrize(
    ("machine_type", "commands"),
    [
        (
            "a3-megagpu-8g",
            [
                "chmod 755 /scripts/container_entry.sh",
                "/scripts/container_entry.sh install --install-nccl",
                "mkdir -p /usr/local/nvidia/lib64",
                "cp -r /var/lib/tcpxo/lib64/. /usr/local/nvidia/lib64",
            ],
        ),
        (
            "a3-highgpu-8g",
            [
                "/scripts/container_entry.sh install --install-nccl",
                "mkdir -p /usr/local/nvidia/lib64",
                "cp -r /var/lib/tcpx/lib64/. /usr/local/nvidia/lib64",
            ],
        ),
    ],
)
def test_plugins_are_installed_as_the_vendors_manifest_does(
    machine_type: str, commands: list[str]
) -> None:
    declared = with_fabric(machine_type, fabric=FABRIC, nodes=3)
    sets = [each.inputs for each in declared.of("kubernetes:apps/v1:DaemonSet")]
    (installer,) = (each for each in sets if each["metadata"]["name"].endswith("-installer"))
    container = installer["spec"]["template"]["spec"]["initContainers"][-1]
    assert container["command"] == ["/bin/sh", "-ec", "\n".join(commands)]


def test_no_image_is_without_a_version() -> None:
    declared = declare(
        gcp(
            pool("a3-highgpu-8g", name="tcpx", fabric=FABRIC),
            pool("a3-megagpu-8g", name="tcpxo", fabric=FABRIC),
            pool("a3-ultragpu-8g", name="gib", fabric=FABRIC, zones=["us-central1-b"]),
        )
    )
    pods = [
        each.inputs["spec"]["template"]["spec"]
        for each in declared.of("kubernetes:apps/v1:DaemonSet")
    ]
    images = [
        container["image"]
        for pod in pods
        for container in [*pod["containers"], *pod.get("initContainers", [])]
    ]
    assert len(images) == 8
    assert all("@sha256:" in image or ":" in image.rpartition("/")[2] for image in images)
    assert not any(image.endswith(":latest") for image in images)
