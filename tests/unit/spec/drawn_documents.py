"""Plans at random: what a user may write, right or wrong."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.unit.spec.cluster_documents import Document, aws, gcp, pool
from tidegate.spec.catalogue import gpu_models, machine_types
from tidegate.spec.storage_tiers import GCS_CLASSES, S3_CLASSES

AWS_ZONES = ["us-east-2a", "us-east-2b", "us-east-2c"]
GCP_ZONES = ["us-central1-a", "us-central1-b", "us-central1-c"]
ANY_PACE = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
PLACEMENTS = [
    {"compact": True},
    {"compact": False},
    {"policyName": "near"},
    {"topology": "1x72"},
    {"compact": True, "topology": "1x72"},
    {"topology": "1x72", "policyName": "near"},
]
PROFILES = sorted({profile for gpu in gpu_models() for profile in gpu.multi_instance})


def repeatable(examples: int) -> settings:
    """The same examples in every run; a time limit would depend on the machine."""
    return settings(ANY_PACE, max_examples=examples, derandomize=True)


def at_random(examples: int) -> settings:
    """Other examples in every run, for the extended tests; a failure prints how to repeat it."""
    return settings(ANY_PACE, max_examples=examples, print_blob=True)


def some_of(options: dict[str, SearchStrategy[Any]], most: int) -> SearchStrategy[Document]:
    """At most so many of the keys: with all of them hardly a document would be taken."""
    chosen = st.lists(st.sampled_from(sorted(options)), max_size=most, unique=True)
    return chosen.flatmap(lambda keys: st.fixed_dictionaries({key: options[key] for key in keys}))


def times() -> SearchStrategy[str]:
    return st.integers(1, 31).map(lambda day: f"2026-12-{day:02}T11:30:00Z") | st.just(
        "2026-11-20T11:30:00Z"
    )


def capacities(zones: list[str]) -> SearchStrategy[Document]:
    reservation = st.sampled_from(["cr-02168da1478b509e0", "gpus", "Gpus/1"])
    run = st.sampled_from([600, 86400, 604800, 700000])
    return st.one_of(
        st.sampled_from([{"kind": "onDemand"}, {"kind": "spot"}]),
        st.fixed_dictionaries(
            {"kind": st.just("reservation"), "reservation": reservation},
            optional={"project": st.just("other"), "block": st.just("b1"), "ends": times()},
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("capacityBlock"),
                "reservation": reservation,
                "zone": st.sampled_from(zones),
                "starts": times(),
                "ends": times(),
            }
        ),
        st.fixed_dictionaries({"kind": st.just("flexStart"), "maxRunSeconds": run}),
        st.fixed_dictionaries(
            {"kind": st.just("queued"), "maxRunSeconds": run, "flexStart": st.booleans()}
        ),
    )


def ranges() -> SearchStrategy[Document]:
    least, most = st.integers(0, 4), st.integers(1, 6) | st.integers(1, 70)
    return st.tuples(least, most).map(lambda pair: {"min": min(pair), "max": max(pair)})


def systems() -> SearchStrategy[Document]:
    return st.fixed_dictionaries({"nodes": ranges()})


def node_pools(cloud: str, zones: list[str]) -> SearchStrategy[Document]:
    own = machine_types("aws" if cloud == "aws" else "gcp")
    fabric = "efa" if cloud == "aws" else "gpuDirect"
    needed = st.fixed_dictionaries(
        {
            "name": st.sampled_from(["a", "b", "c", "d-1"]),
            "purpose": st.sampled_from(["training", "inference"]),
            "machineType": st.sampled_from([each.name for each in own]),
            "nodes": st.sampled_from([3, 6, 9]) | ranges(),
        },
        # Drawn more often than the options, because most go together in one zone only.
        optional={
            "zones": st.lists(st.sampled_from(zones), min_size=1, max_size=2),
            "placement": st.sampled_from(PLACEMENTS),
        },
    )
    options: dict[str, SearchStrategy[Any]] = {
        "fabric": st.fixed_dictionaries(
            {"kind": st.sampled_from(["none", fabric, fabric, "efa"])},
            optional={
                "interfaces": st.sampled_from([4, 8]),
                "mode": st.sampled_from(["explicit", "managed"]),
                "exposure": st.sampled_from(["devicePlugin", "dra"]),
            },
        ),
        "capacity": capacities(zones),
        "sharing": st.fixed_dictionaries(
            {},
            optional={
                "migProfile": st.sampled_from(PROFILES),
                "strategy": st.sampled_from(["timeSlicing", "mps"]),
                "clients": st.integers(1, 60),
            },
        ),
        "disks": st.fixed_dictionaries(
            {},
            optional={
                "bootType": st.sampled_from(["gp3", "pd-ssd", "hyperdisk-balanced"]),
                "local": st.sampled_from(["raid0", "ephemeral", "block", "none"]),
            },
        ),
        "image": st.fixed_dictionaries(
            {},
            optional={
                "family": st.sampled_from(["al2023", "bottlerocket", "cos", "ubuntu"]),
                "architecture": st.sampled_from(["x86_64", "arm64"]),
                "driver": st.sampled_from(["default", "latest", "disabled"]),
            },
        ),
        "maxPods": st.integers(8, 256),
        "repair": st.booleans(),
        "upgrade": st.fixed_dictionaries(
            {
                "strategy": st.sampled_from(["surge", "blueGreen"]),
                "maxSurge": st.integers(0, 2),
                "maxUnavailable": st.integers(0, 2),
            }
        ),
        "elastic": st.booleans(),
    }
    return st.builds(dict.__or__, needed, some_of(options, 3))


def storage(zones: list[str]) -> SearchStrategy[Document]:
    size = st.sampled_from([1200, 2400, 9000, 12000, 19200, 36000, 100000])
    zone = st.sampled_from(zones)
    hot = st.one_of(
        st.just({"kind": "localNvme"}),
        st.fixed_dictionaries(
            {"kind": st.just("fsxLustre"), "capacityGib": size, "zone": zone},
            optional={
                "throughput": st.sampled_from([125, 200, 250, 1000]),
                "efa": st.booleans(),
                "deploymentType": st.sampled_from(["PERSISTENT_2", "SCRATCH_2"]),
            },
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("managedLustre"),
                "capacityGib": size,
                "throughput": st.sampled_from([125, 250, 500, 1000]),
                "zone": zone,
            }
        ),
        st.fixed_dictionaries(
            {"kind": st.just("parallelstore"), "capacityGib": size, "zone": zone}
        ),
    )
    warm = st.just({"kind": "efs"}) | st.fixed_dictionaries(
        {"kind": st.just("filestore"), "capacityGib": size}, optional={"zone": zone}
    )
    return st.fixed_dictionaries({}, optional={"hot": hot, "warm": warm, "cold": buckets(zones)})


def buckets(zones: list[str]) -> SearchStrategy[Document]:
    own = S3_CLASSES if zones == AWS_ZONES else GCS_CLASSES
    transition = st.fixed_dictionaries(
        {
            "afterDays": st.sampled_from([0, 30, 90, 180, 400]),
            "storageClass": st.sampled_from([*own, *own, *own, "STANDARD_IA", "ARCHIVE"]),
        }
    )
    return st.fixed_dictionaries(
        {"kind": st.just("bucket"), "namePrefix": st.sampled_from(["releases", "a-1-b"])},
        optional={
            "transitions": st.lists(transition, max_size=2),
            "lockDays": st.sampled_from([1, 30, 36500]),
            "secureTransportPolicy": st.booleans(),
        },
    )


def networks() -> SearchStrategy[Document]:
    return st.fixed_dictionaries(
        {},
        optional={
            "cidr": st.sampled_from(["10.0.0.0/16", "10.0.0.0/12", "10.0.0.0/24"]),
            "nodePrefix": st.integers(16, 28),
            "publicPrefix": st.integers(20, 28),
            "podsCidr": st.sampled_from(["10.128.0.0/14", "10.128.0.0/20"]),
            "fabricCidr": st.sampled_from(["192.168.0.0/16", "192.168.0.0/28"]),
        },
    )


def usual_networks() -> SearchStrategy[Document]:
    """Most of them with room for a few nodes."""
    return st.fixed_dictionaries(
        {},
        optional={
            "cidr": st.sampled_from(["10.0.0.0/16", "10.0.0.0/12", "10.64.0.0/15"]),
            "nodePrefix": st.integers(18, 22),
            "publicPrefix": st.integers(22, 28),
            "podsCidr": st.sampled_from(["10.128.0.0/14", "100.64.0.0/12"]),
            "servicesCidr": st.sampled_from(["172.20.0.0/16", "172.24.0.0/18"]),
            "controlPlaneCidr": st.sampled_from(["172.16.0.0/28", "172.16.1.16/28"]),
            "fabricCidr": st.sampled_from(["192.168.0.0/16", "192.168.0.0/17"]),
        },
    )


def pools_on_efa() -> SearchStrategy[Document]:
    """Drawn at random, hardly any pool would be one."""
    machines = st.sampled_from(
        ["p4d.24xlarge", "p5.48xlarge", "p6-b300.48xlarge", "g6e.24xlarge", "g6.8xlarge"]
    )
    return machines.map(
        lambda each: pool(each, name="fabric", fabric={"kind": "efa"}, zones=AWS_ZONES[:1])
    )


def pools_on_gpu_direct() -> SearchStrategy[Document]:
    machines = st.sampled_from(
        ["a3-highgpu-8g", "a3-megagpu-8g", "a3-ultragpu-8g", "a4-highgpu-8g"]
    )
    return machines.map(
        lambda each: pool(each, name="fabric", fabric={"kind": "gpuDirect"}, zones=GCP_ZONES[:1])
    )


def elastic_pools() -> SearchStrategy[Document]:
    return st.builds(
        lambda machine, changes: (
            pool(machine, name="elastic", purpose="inference", elastic=True) | changes
        ),
        st.sampled_from(["g5.xlarge", "g6.12xlarge", "g6e.48xlarge", "p5.48xlarge"]),
        st.fixed_dictionaries(
            {},
            optional={
                "capacity": st.sampled_from([{"kind": "onDemand"}, {"kind": "spot"}]),
                "zones": st.just(AWS_ZONES[:2]),
                "image": st.fixed_dictionaries(
                    {"family": st.sampled_from(["al2023", "bottlerocket"])}
                ),
                "disks": st.fixed_dictionaries({"bootType": st.just("gp3")}),
                "taints": st.just([{"key": "example.com/own", "effect": "NoExecute"}]),
                "repair": st.booleans(),
            },
        ),
    )


def documents() -> SearchStrategy[Document]:
    def with_cloud(cloud: str) -> SearchStrategy[Document]:
        zones = AWS_ZONES if cloud == "aws" else GCP_ZONES
        base = aws() if cloud == "aws" else gcp()
        return st.fixed_dictionaries(
            {"pools": st.lists(node_pools(cloud, zones), max_size=3)},
        ).flatmap(
            lambda more: some_of(
                {"storage": storage(zones), "network": networks(), "system": systems()}, 1
            ).map(lambda rest: base | more | rest)
        )

    return st.sampled_from(["aws", "gcp"]).flatmap(with_cloud)
