"""What a stack on a cluster declares, and in which order it comes and goes."""

import asyncio
import dataclasses
import json
from typing import Any

import pulumi
import pytest

from tests.unit.components.examples import (
    L4,
    ROOT,
    SERVING,
    kubernetes_platform_arguments,
    revision_on_kubernetes,
    serving_on_kubernetes,
)
from tests.unit.components.recording import Recording, record
from tidegate.gate.profile import load_profile
from tidegate.kubernetes.cluster_outputs import ClusterOutputs
from tidegate.kubernetes.platform import KubernetesPlatform, KubernetesPlatformArgs
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.serving import InferenceService, InferenceServiceArgs
from tidegate.spec.accelerator_pool import AcceleratorPool, check_fits
from tidegate.spec.cluster_network import ClusterNetwork
from tidegate.spec.errors import SpecError
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.revision import Revision
from tidegate.spec.runner_pods import RunnerPods
from tidegate.spec.serving_on_kubernetes import ExistingServing, Replicas
from tidegate.spec.traffic import Affinity

pytestmark = pytest.mark.unit

LIVE, STANDBY = revision_on_kubernetes("1"), revision_on_kubernetes("2")
GATE, HOLD = "tidegate:index:LoadTestGate", "tidegate:index:TrafficHold"
READINESS, SWITCH = "tidegate:index:SlotReadiness", "tidegate:index:TrafficSwitch"
REMOVAL, ROOM = "tidegate:index:SlotRemoval", "tidegate:index:SlotRoom"
CLAIM = "tidegate:index:NamespaceClaim"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
PROVIDER = "pulumi:providers:tidegate"
OWN = {"own": "l4"}
DIGEST = "sha256:" + "5" * 64


def service_arguments(platform: KubernetesPlatform, **changes: Any) -> InferenceServiceArgs:
    arguments: dict[str, Any] = {
        "platform": platform,
        "serving_root": SERVING,
        "live": LIVE,
        "standby": STANDBY,
        "profile": load_profile(ROOT / "loadtests" / "profiles" / "quick.yaml"),
        "hostnames": ("digits.test",),
        **changes,
    }
    return InferenceServiceArgs(**arguments)


def made(platform: dict[str, Any] | None = None, **changes: Any) -> Recording:
    def program() -> None:
        arguments = dataclasses.replace(kubernetes_platform_arguments(), **(platform or {}))
        created = KubernetesPlatform("cluster", arguments)
        InferenceService("digits", service_arguments(created, **changes))

    return record(program)


def refusal(platform: dict[str, Any] | None = None, **changes: Any) -> SpecError:
    raised: list[SpecError] = []

    def program() -> None:
        arguments = dataclasses.replace(kubernetes_platform_arguments(), **(platform or {}))
        try:
            created = KubernetesPlatform("cluster", arguments)
            InferenceService("digits", service_arguments(created, **changes))
        except SpecError as error:
            raised.append(error)

    record(program)
    return raised[0]


def test_the_gate_waits_for_ready_pods_and_the_switch_for_the_gate() -> None:
    recording = made()
    readiness = recording.only(READINESS, LIVE.id)

    assert recording.only(DEPLOYMENT, LIVE.id).urn in readiness.dependencies
    assert readiness.urn in recording.only(GATE, LIVE.id).dependencies
    assert readiness.urn in recording.only(HOLD, LIVE.id).dependencies
    assert recording.only(GATE, LIVE.id).urn in recording.only(SWITCH).dependencies


def test_pods_start_in_a_namespace_with_policies_and_their_priority() -> None:
    recording = made()
    deployment = recording.only(DEPLOYMENT, LIVE.id)

    for kind, name in (
        ("core/v1:Namespace", "inference"),
        ("scheduling.k8s.io/v1:PriorityClass", "inference-serving"),
        ("networking.k8s.io/v1:NetworkPolicy", LIVE.id),
        ("core/v1:ConfigMap", LIVE.id),
        ("core/v1:ServiceAccount", LIVE.id),
    ):
        assert recording.is_after(deployment, recording.only(f"kubernetes:{kind}", name).urn)


def test_a_slot_begins_with_its_service_by_which_it_is_found() -> None:
    recording = made()
    service = recording.only("kubernetes:core/v1:Service", LIVE.id)

    for kind in ("policy/v1:PodDisruptionBudget", "core/v1:ConfigMap", "apps/v1:Deployment"):
        assert service.urn in recording.only(f"kubernetes:{kind}", LIVE.id).dependencies
    assert recording.only(REMOVAL, LIVE.id).urn in service.dependencies


def test_a_gateway_that_is_not_served_is_told_before_a_pod_takes_a_gpu() -> None:
    recording = made()
    readiness = recording.only("tidegate:index:GatewayReadiness")

    assert readiness.inputs["listeners"] == {"http": []}
    assert readiness.urn in recording.only(DEPLOYMENT, LIVE.id).dependencies


def test_the_gateway_and_the_runners_rights_outlive_the_last_gate() -> None:
    recording = made(make_room=True)
    binding = recording.only(
        "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "tidegate-runner"
    )
    needed = [
        binding,
        recording.only("kubernetes:gateway.networking.k8s.io/v1:Gateway"),
        recording.only("kubernetes:core/v1:Namespace"),
    ]
    of_services = [
        each
        for each in recording.resources
        if each.type.startswith("tidegate:index:") and each.type != CLAIM
    ]

    assert {each.type for each in of_services} > {GATE, SWITCH, HOLD, ROOM, REMOVAL}
    for each in of_services:
        assert all(recording.is_after(each, other.urn) for other in needed), each.urn


@pytest.mark.parametrize("create_namespace", [True, False])
def test_nothing_is_made_before_the_namespace_is_known_to_be_nobody_elses(
    create_namespace: bool,
) -> None:
    recording = made({"create_namespace": create_namespace})
    claim = recording.only(CLAIM)
    objects = [
        each
        for each in recording.resources
        if each.custom and not each.is_provider and each.type != CLAIM
    ]

    assert claim.inputs == {
        "namespace": "inference",
        "stack": "project/stack",
        "createNamespace": create_namespace,
    }
    assert objects
    for each in objects:
        assert recording.is_after(each, claim.urn), each.urn


def test_whose_a_namespace_is_can_be_read_in_it() -> None:
    recording = made()

    for kind, name in (("Namespace", "inference"), ("ServiceAccount", "tidegate-runner")):
        metadata = recording.only(f"kubernetes:core/v1:{kind}", name).inputs["metadata"]
        assert metadata["annotations"] == {"tidegate.dev/stack": "project/stack"}


def test_the_provider_is_told_how_to_reach_the_cluster() -> None:
    configuration = json.loads(made().only(PROVIDER).inputs["kubernetes"])

    assert configuration == {
        "context": "test",
        "namespace": "inference",
        "gateway": {
            "namespace": "inference",
            "name": "tidegate",
            "httpSection": "http",
            "grpcSection": "http",
            "proxyNamespace": "envoy-gateway-system",
        },
        "runnerImage": kubernetes_platform_arguments().runner_image,
        "evidence": "s3://evidence/tidegate",
        "environment": "test",
        "stackFile": "stacks/Pulumi.test.yaml",
    }


def test_a_private_registry_and_the_runners_place_reach_account_jobs_and_slots() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/evidence"}
    runner = {
        "nodeLabels": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "dedicated"}],
        "serviceAccountAnnotations": annotations,
    }
    recording = made(
        {
            "image_pull_secrets": ["registry"],
            "runner": RunnerPods.model_validate(runner),
            "network": ClusterNetwork(api_server_ports=(16443,)),
        }
    )

    told = json.loads(recording.only(PROVIDER).inputs["kubernetes"])
    assert told["imagePullSecrets"] == ["registry"]
    assert KubernetesConfiguration.model_validate(told).runner == RunnerPods.model_validate(runner)
    account = recording.only("kubernetes:core/v1:ServiceAccount", "tidegate-runner")
    assert annotations.items() <= dict(account.inputs["metadata"]["annotations"]).items()
    template = recording.only(DEPLOYMENT, LIVE.id).inputs["spec"]["template"]
    assert [each["name"] for each in template["spec"]["imagePullSecrets"]] == ["registry"]
    policy = recording.only("kubernetes:networking.k8s.io/v1:NetworkPolicy", "tidegate-runner")
    assert "16443" in str(policy.inputs["spec"]["egress"])


def test_a_kubeconfig_is_a_secret_wherever_it_goes() -> None:
    secret = pulumi.runtime.rpc._special_secret_sig

    recording = made({"kubeconfig": "clusters: []"})

    for provider in (PROVIDER, "pulumi:providers:kubernetes"):
        inputs = recording.only(provider).inputs
        name = "kubernetes" if provider == PROVIDER else "kubeconfig"
        assert secret in str(inputs[name])


def on_a_cluster(cluster: ClusterOutputs, **changes: Any) -> KubernetesPlatformArgs:
    """Arguments that leave to the cluster what it gives."""
    left = {"cluster": cluster, "evidence": None, "pools": (), "context": None}
    return dataclasses.replace(kubernetes_platform_arguments(), **left | changes)


def test_a_cluster_that_does_not_exist_yet_can_be_declared() -> None:
    """Its kubeconfig and its bucket are outputs that nobody knows at the first preview."""

    def program() -> None:
        loop = asyncio.get_event_loop()
        nothing, unknown = loop.create_future(), loop.create_future()
        nothing.set_result(None)
        unknown.set_result(False)
        made: pulumi.Output[str] = pulumi.Output(set(), nothing, unknown)
        cluster = ClusterOutputs(
            kubeconfig=made, release_bucket_url=made, registry_url=made, pools=(L4,)
        )
        arguments = on_a_cluster(cluster, runner_image=f"runner@{DIGEST}")
        platform = KubernetesPlatform("cluster", arguments)
        InferenceService("digits", service_arguments(platform))

    recording = record(program)

    assert pulumi.runtime.rpc.UNKNOWN in str(recording.only(PROVIDER).inputs["kubernetes"])
    assert recording.only(SWITCH).inputs["revision"] == LIVE.id
    assert recording.only(GATE, LIVE.id).inputs["httpTarget"] == f"{LIVE.id}.inference.svc:8000"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, {"kubeconfig": "made", "evidence": "s3://releases/evidence/test"}),
        ({}, {"labels": L4.node_labels}),
        ({"evidence": "gs://own/a"}, {"evidence": "gs://own/a"}),
        ({"kubeconfig": "own"}, {"kubeconfig": "own"}),
        ({"pools": [L4.model_copy(update={"node_labels": OWN})]}, {"labels": OWN}),
    ],
)
def test_a_platform_takes_from_its_cluster_what_it_is_not_told(
    changes: dict[str, Any], told: dict[str, Any]
) -> None:
    made = ClusterOutputs(kubeconfig="made", release_bucket_url="s3://releases", pools=(L4,))
    recording = record(
        lambda: InferenceService(
            "digits",
            service_arguments(KubernetesPlatform("cluster", on_a_cluster(made, **changes))),
        )
    )

    found = json.loads(recording.only(PROVIDER).inputs["kubernetes"]["value"])
    (pool,) = recording.only(READINESS, LIVE.id).inputs["pools"]
    found["labels"] = dict(pool["nodeLabels"])
    assert found.items() >= told.items()


@pytest.mark.parametrize("registry", ["registry.test/prod", None])
def test_images_without_a_registry_are_in_that_of_the_cluster(registry: str | None) -> None:
    bare, elsewhere = f"runner@{DIGEST}", f"nvcr.io/nvidia/tritonserver@{DIGEST}"
    made = ClusterOutputs(kubeconfig="made", release_bucket_url="s3://a", registry_url=registry)
    live = revision_on_kubernetes("1", image=f"tritonserver@{DIGEST}")
    standby = revision_on_kubernetes("2", image=elsewhere)

    def program() -> None:
        arguments = on_a_cluster(made, pools=[L4], runner_image=bare)
        platform = KubernetesPlatform("cluster", arguments)
        InferenceService("digits", service_arguments(platform, live=live, standby=standby))

    recording = record(program)
    place = f"{registry}/" if registry is not None else ""
    told = json.loads(recording.only(PROVIDER).inputs["kubernetes"]["value"])
    assert told["runnerImage"] == f"{place}{bare}"
    for revision, server in ((live, f"{place}tritonserver@{DIGEST}"), (standby, elsewhere)):
        pod = recording.only(DEPLOYMENT, revision.id).inputs["spec"]["template"]["spec"]
        assert [each["image"] for each in pod["containers"]] == [server]
        assert [each["image"] for each in pod["initContainers"]] == [f"{place}{bare}"]


def test_readiness_knows_the_pools_by_their_own_labels() -> None:
    inputs = made().only(READINESS, LIVE.id).inputs
    (pool,) = inputs["pools"]

    assert dict(pool["nodeLabels"]) == {"tidegate.dev/accelerator-pool": "l4"}
    assert dict(pool["allocatable"]) == {"nvidia.com/gpu": "4"}
    assert inputs["acceleratorPool"] == "l4"
    assert inputs["timeoutSeconds"] == 60 + 600


def test_gates_of_one_pool_know_it_and_the_switch_its_host_names() -> None:
    recording = made()

    assert recording.only(GATE, LIVE.id).inputs["acceleratorPool"] == "l4"
    assert list(recording.only(SWITCH).inputs["hostnames"]) == ["digits.test"]
    assert recording.only(GATE, LIVE.id).inputs["httpTarget"] == f"{LIVE.id}.inference.svc:8000"


def test_replicas_change_the_workload_alone() -> None:
    one, three = made(), made(replicas=Replicas(count=3))

    assert {each.name for each in one.resources} == {each.name for each in three.resources}
    assert three.only(DEPLOYMENT, LIVE.id).inputs["spec"]["replicas"] == 3
    assert three.only(READINESS, LIVE.id).inputs["replicas"] == 3


def test_what_the_cluster_has_already_is_not_made() -> None:
    recording = made(
        {
            "create_namespace": False,
            "priority_class": "gold",
            "gateway": GatewayReference(namespace="edge", name="public", http_section="web"),
        }
    )
    kinds = {each.type for each in recording.resources}

    assert not any(
        kind.endswith((":Namespace", ":PriorityClass", ":Gateway", ":GatewayClass"))
        for kind in kinds
    )
    template = recording.only(DEPLOYMENT, LIVE.id).inputs["spec"]["template"]
    assert template["spec"]["priorityClassName"] == "gold"
    # The runner has to look at the Gateway there, and at nothing else.
    role = recording.only(
        "kubernetes:rbac.authorization.k8s.io/v1:Role", "edge/tidegate-runner-inference"
    )
    assert [list(each["resources"]) for each in role.inputs["rules"]] == [["gateways"]]


def test_gates_of_several_namespaces_take_turns_where_all_may() -> None:
    recording = made({"gate_lease_namespace": "gates"})

    role = recording.only(
        "kubernetes:rbac.authorization.k8s.io/v1:Role", "gates/tidegate-runner-inference"
    )
    assert [list(each["resources"]) for each in role.inputs["rules"]] == [["leases"]]


def test_a_deployment_of_the_users_own_is_a_slot() -> None:
    existing = ExistingServing(deployment="triton-a", pod_labels={"app": "a"}, pool="l4")
    revision = Revision(
        platform="kubernetes", release=LIVE.release, probes=LIVE.probes, existing=existing
    )
    recording = made(live=revision, standby=None)
    kinds = [each.type for each in recording.resources if each.name == revision.id]

    assert sorted(kinds) == sorted(["kubernetes:core/v1:Service", REMOVAL, READINESS, GATE, HOLD])
    inputs = recording.only(READINESS, revision.id).inputs
    assert (inputs["workload"], inputs["workloadName"]) == ("Deployment", "triton-a")
    assert inputs["serviceName"] == revision.id


# -- what cannot work --------------------------------------------------------------------------

SMALL = AcceleratorPool(
    name="l4",
    node_labels={"a": "b"},
    gpus_per_node=1,
    gpu_memory_gib=24,
    nodes_max=2,
    extended_resources={"vpc.amazonaws.com/efa": 1, "rdma/a": 0},
)


@pytest.mark.parametrize(
    ("serving", "field", "mend"),
    [
        ({"gpus": 2}, "gpus", "gpus: 1 or fewer"),
        ({"gpus": 1, "model_memory_gib": 30.0}, "modelMemoryGib", "2 GPUs for a replica"),
        ({"load_seconds": 90.0}, "probes.readyTimeoutSeconds", "readyTimeoutSeconds: 180"),
        ({"pool": "l40"}, "pool", "'l4'"),
        ({"gpu_resource": "amd.com/gpu"}, "gpuResource", "gpuResource: nvidia.com/gpu"),
        (
            {"extended_resources": {"vpc.amazonaws.com/efa": 4}},
            "extendedResources",
            "vpc.amazonaws.com/efa: 1, or a pool whose nodes have more",
        ),
        ({"extended_resources": {"rdma/a": 1}}, "extendedResources", "a pool whose nodes have"),
    ],
)
def test_a_revision_that_cannot_run_is_refused(
    serving: dict[str, Any], field: str, mend: str
) -> None:
    error = refusal({"pools": [SMALL]}, live=revision_on_kubernetes(**serving))

    assert error.field == field
    assert mend in error.instead


@pytest.mark.parametrize(
    ("pool", "serving", "field", "mend"),
    [
        ({"max_gpus_per_pod": 1}, {"gpus": 2}, "gpus", "gpus: 1, or a pool whose GPUs are not"),
        ({"max_gpus_per_pod": 1}, {"model_memory_gib": 30.0}, "modelMemoryGib", "fewer pods on"),
        ({"needs_host_ipc": True}, {}, "pool", "sharing.strategy: timeSlicing"),
    ],
)
def test_what_shared_gpus_cannot_do_is_refused(
    pool: dict[str, Any], serving: dict[str, Any], field: str, mend: str
) -> None:
    shared = SMALL.model_copy(update={"gpus_per_node": 8, **pool})
    error = refusal({"pools": [shared]}, live=revision_on_kubernetes(**serving))

    assert error.field == field
    assert mend in error.instead


def test_a_share_of_a_gpu_and_pods_without_one_are_taken() -> None:
    check_fits(serving_on_kubernetes(), SMALL.model_copy(update={"max_gpus_per_pod": 1}))
    check_fits(serving_on_kubernetes(gpus=0), SMALL.model_copy(update={"needs_host_ipc": True}))


def test_network_cards_that_a_node_has_or_that_nobody_has_counted_are_taken() -> None:
    cards = {"vpc.amazonaws.com/efa": 1, "rdma/of-another-plugin": 1}

    check_fits(serving_on_kubernetes(extended_resources=cards), SMALL)


@pytest.mark.parametrize(
    ("replicas", "mend"),
    [
        (Replicas(count=1, min_available=1), "replicas: 2, or minAvailable: 0"),
        (Replicas(count=2, min_available=3), "replicas: 4, or minAvailable: 1"),
        (Replicas(count=3), "nodesMax"),
    ],
)
def test_replicas_that_cannot_be_evicted_or_placed_are_refused(
    replicas: Replicas, mend: str
) -> None:
    error = refusal({"pools": [SMALL]}, replicas=replicas)

    assert error.field == "replicas"
    assert mend in error.instead


def test_evidence_that_would_go_with_its_pod_is_refused() -> None:
    with pytest.raises(SpecError, match="go with the pod"):
        dataclasses.replace(kubernetes_platform_arguments(), evidence="evidence")


@pytest.mark.parametrize("cluster", [None, ClusterOutputs(kubeconfig="made")])
def test_evidence_without_a_place_is_refused(cluster: ClusterOutputs | None) -> None:
    with pytest.raises(SpecError, match=r"no verdict could be kept"):
        dataclasses.replace(kubernetes_platform_arguments(), evidence=None, cluster=cluster)


def test_what_no_namespace_can_be_called_is_refused() -> None:
    with pytest.raises(SpecError, match=r"lower-case letters.*Instead: 'team-a'") as raised:
        dataclasses.replace(kubernetes_platform_arguments(), namespace="Team_A")
    assert raised.value.field == "namespace"


def test_an_endpoint_reaches_the_jobs_and_their_policy() -> None:
    recording = made({"evidence_endpoint": "http://minio.storage:9000"})

    configuration = json.loads(recording.only(PROVIDER).inputs["kubernetes"])
    assert configuration["evidenceEndpoint"] == "http://minio.storage:9000"
    policy = recording.only("kubernetes:networking.k8s.io/v1:NetworkPolicy", "tidegate-runner")
    assert "9000" in str(policy.inputs["spec"]["egress"])


@pytest.mark.parametrize("evidence", ["gs://evidence/tidegate", "/evidence"])
def test_an_endpoint_that_leads_to_no_evidence_is_refused(evidence: str) -> None:
    with pytest.raises(SpecError, match="only s3:// addresses lead to an endpoint"):
        dataclasses.replace(
            kubernetes_platform_arguments(), evidence=evidence, evidence_endpoint="http://minio"
        )


def test_an_endpoint_beside_the_clusters_own_bucket_is_refused() -> None:
    made = ClusterOutputs(kubeconfig="made", release_bucket_url="s3://releases")
    with pytest.raises(SpecError, match="evidence is in the cluster's bucket"):
        on_a_cluster(made, evidence_endpoint="http://minio")


def test_two_pools_of_one_name_are_refused() -> None:
    with pytest.raises(SpecError, match="two pools have this name"):
        dataclasses.replace(kubernetes_platform_arguments(), pools=[SMALL, SMALL])


def with_models(*names: str) -> Revision:
    models = tuple(LIVE.release.model.model_copy(update={"name": each}) for each in names)
    release = LIVE.release.model_copy(update={"models": models})
    return Revision(
        platform=LIVE.platform, release=release, probes=LIVE.probes, kubernetes=LIVE.kubernetes
    )


@pytest.mark.parametrize(
    ("changes", "field", "mend"),
    [
        ({"hostnames": [f"a{each}.test" for each in range(17)]}, "hostnames", "16 at most"),
        ({"hostnames": ["a.*.test"]}, "hostnames", "a name that does"),
        (
            {"live": with_models(*(f"model-{each}" for each in range(150))), "standby": None},
            "digits.models",
            "several services with fewer models each",
        ),
        ({"live": with_models("m" * 1100), "standby": None}, "digits.models", "shorter names"),
    ],
)
def test_what_no_route_can_hold_is_refused_before_a_slot_takes_gpus(
    changes: dict[str, Any], field: str, mend: str
) -> None:
    error = refusal(**changes)

    assert error.field == field
    assert mend in error.instead


def test_as_much_as_a_route_holds_is_taken() -> None:
    made(
        live=with_models(*(f"model-{each}" for each in range(50))),
        hostnames=[*(f"a{each}.test" for each in range(15)), "*.example.org"],
        affinity=Affinity(cookie="session"),
    )


def test_a_revision_of_another_platform_is_refused() -> None:
    bare = LIVE.model_copy(update={"kubernetes": None})

    assert refusal(live=bare).field == "kubernetes"
