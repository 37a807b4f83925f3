"""What a revision becomes on a cluster."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.components.examples import (
    L4,
    RUNNER_IMAGE,
    revision_on_kubernetes,
    serving_on_kubernetes,
)
from tidegate.cluster.names import labels
from tidegate.kubernetes.network import Network, runner_policy
from tidegate.kubernetes.objects import Manifest
from tidegate.kubernetes.slot_objects import SlotObjects, existing_service, slot_objects
from tidegate.spec.cluster_network import ClusterNetwork
from tidegate.spec.kubernetes_gateway import GatewayReference
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import (
    ExistingServing,
    KubernetesServing,
    Ports,
    Replicas,
)

pytestmark = pytest.mark.unit

NETWORK = Network(
    namespace="inference",
    gateway=GatewayReference(namespace="edge", name="public"),
    monitoring_namespace="monitoring",
)
GROUP: dict[str, Any] = {"nodes": 2, "worker_command": ["worker"], "gpus": 4}


def objects(
    replicas: Replicas | None = None,
    network: Network = NETWORK,
    image_pull_secrets: Sequence[str] = (),
    **changes: Any,
) -> SlotObjects:
    revision = revision_on_kubernetes(**changes)
    assert revision.kubernetes is not None
    return slot_objects(
        revision,
        revision.kubernetes,
        L4,
        replicas or Replicas(),
        network=network,
        runner_image=RUNNER_IMAGE,
        priority_class="serving",
        image_pull_secrets=image_pull_secrets,
    )


def every(found: SlotObjects) -> list[Manifest]:
    return [*found.before, found.workload, found.service, found.disruption_budget]


def one(found: SlotObjects, kind: str) -> Manifest:
    (manifest,) = (each for each in every(found) if each["kind"] == kind)
    return manifest


def pod(**changes: Any) -> Any:
    return objects(**changes).workload["spec"]["template"]["spec"]


def triton(**changes: Any) -> Any:
    (container,) = pod(**changes)["containers"]
    return container


def templates(found: SlotObjects) -> list[Any]:
    """Of every pod of the slot."""
    spec = found.workload["spec"]
    group = spec.get("leaderWorkerTemplate")
    return [group["leaderTemplate"], group["workerTemplate"]] if group else [spec["template"]]


def with_models(*names: str) -> Revision:
    """A revision whose release has several models."""
    revision = revision_on_kubernetes()
    models = tuple(revision.release.model.model_copy(update={"name": each}) for each in names)
    release = revision.release.model_copy(update={"models": models})
    return revision.model_copy(update={"release": release})


def test_everything_is_named_after_the_revision_and_labelled_with_it() -> None:
    revision = revision_on_kubernetes().id

    for each in every(objects()):
        assert each["metadata"]["name"] == revision
        assert each["metadata"]["namespace"] == "inference"
        assert each["metadata"]["labels"]["tidegate.dev/revision"] == revision


def test_names_and_selectors_agree() -> None:
    found = objects()
    pods = found.workload["spec"]["template"]["metadata"]["labels"]

    for selector in (
        found.workload["spec"]["selector"]["matchLabels"],
        found.service["spec"]["selector"],
        found.disruption_budget["spec"]["selector"]["matchLabels"],
        one(found, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= pods.items()


def test_a_gates_runner_is_no_server_although_it_has_the_revisions_labels() -> None:
    revision = revision_on_kubernetes()
    runner = labels(revision.service, revision.id, job="gate", run="gate.x.001")
    found = objects()

    for selector in (
        found.workload["spec"]["selector"]["matchLabels"],
        found.service["spec"]["selector"],
        found.disruption_budget["spec"]["selector"]["matchLabels"],
        one(found, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert not selector.items() <= runner.items()


def test_the_repository_cannot_change_in_a_running_server() -> None:
    arguments = triton()["args"]
    mounts = {each["mountPath"]: each for each in triton()["volumeMounts"]}

    assert "--model-control-mode=none" in arguments
    assert "--disable-auto-complete-config" in arguments
    assert mounts["/models"]["readOnly"] is True


def test_what_changes_a_server_is_restricted_and_health_is_not() -> None:
    arguments = triton()["args"]
    environment = {each["name"]: each for each in triton()["env"]}

    for flag in ("--http-restricted-api=", "--grpc-restricted-protocol="):
        (value,) = (each.removeprefix(flag) for each in arguments if each.startswith(flag))
        protocols, _, key = value.partition(":")
        assert set(protocols.split(",")) == {
            "shared-memory",
            "model-repository",
            "trace",
            "logging",
        }
        assert key.endswith("=$(POD_UID)")  # another one for every pod
    assert environment["POD_UID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.uid"}}


def test_requests_equal_limits_and_make_the_pod_guaranteed() -> None:
    resources = triton(gpus=2, cpus=0.5, memory_gib=1.5)["resources"]

    assert resources["requests"] == resources["limits"]
    assert resources["limits"] == {"cpu": "500m", "memory": "1536Mi", "nvidia.com/gpu": "2"}


def test_without_gpus_none_is_asked_for() -> None:
    assert "nvidia.com/gpu" not in triton(gpus=0)["resources"]["limits"]
    assert "--allow-gpu-metrics=false" in triton(gpus=0)["args"]


def test_the_server_leaves_load_balancers_before_it_is_told_to_end() -> None:
    termination = {"pre_stop_seconds": 20, "exit_timeout_seconds": 45}

    assert triton(termination=termination)["lifecycle"] == {"preStop": {"sleep": {"seconds": 20}}}
    assert "--exit-timeout-secs=45" in triton(termination=termination)["args"]
    assert pod(termination=termination)["terminationGracePeriodSeconds"] == 20 + 45 + 10


def test_probes_ask_for_the_model_and_its_version() -> None:
    container = triton()

    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] == "/v2/models/digits/versions/1/ready"
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 60
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_with_several_models_readiness_asks_for_each() -> None:
    revision = with_models("words", "letters")
    assert revision.kubernetes is not None
    found = slot_objects(
        revision,
        revision.kubernetes,
        L4,
        Replicas(),
        network=NETWORK,
        runner_image=RUNNER_IMAGE,
        priority_class="serving",
    )
    (container,) = found.workload["spec"]["template"]["spec"]["containers"]

    command = container["readinessProbe"]["exec"]["command"]
    for model in ("words", "letters"):
        assert f"http://localhost:8000/v2/models/{model}/versions/1/ready" in command
    assert "--fail-early" in command


def test_containers_are_confined() -> None:
    found = pod()

    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert found["automountServiceAccountToken"] is False
    for container in (*found["initContainers"], *found["containers"]):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_the_pod_goes_where_its_pool_is() -> None:
    found = pod()

    assert found["nodeSelector"] == {"tidegate.dev/accelerator-pool": "l4"}
    assert found["tolerations"] == [
        {"operator": "Exists", "key": "nvidia.com/gpu", "effect": "NoSchedule"}
    ]
    assert found["priorityClassName"] == "serving"
    assert {each["topologyKey"] for each in found["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }


@pytest.mark.parametrize("changes", [{}, GROUP])
def test_every_pod_names_the_secrets_of_its_registries(changes: dict[str, Any]) -> None:
    for template in templates(objects(image_pull_secrets=("registry", "models"), **changes)):
        secrets = template["spec"]["imagePullSecrets"]
        assert [each["name"] for each in secrets] == ["registry", "models"]
    for template in templates(objects(**changes)):
        assert "imagePullSecrets" not in template["spec"]


def test_shared_memory_has_its_size() -> None:
    volumes = {each["name"]: each for each in pod(shared_memory_gib=2)["volumes"]}

    assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}


def test_files_of_a_bucket_are_loaded_and_compared() -> None:
    model = {
        "objectStorage": {
            "url": "s3://models/digits/1",
            "region": "eu-central-1",
            "endpoint": "http://minio.storage:9000",
            "credentialsSecret": "minio",
        }
    }
    (container,) = pod(model=model)["initContainers"]

    assert container["image"] == RUNNER_IMAGE
    assert container["command"] == ["python", "-m", "tidegate.runner.fetch_models"]
    assert container["args"][2:] == ["--source", "s3://models/digits/1", "--folder", "/models"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert environment["AWS_ENDPOINT_URL"] == "http://minio.storage:9000"
    assert container["envFrom"] == [{"secretRef": {"name": "minio"}}]


def test_an_image_is_mounted_by_digest_and_compared() -> None:
    reference = "registry.test/models/digits@sha256:" + "1" * 64
    found = pod(model={"ociImage": {"reference": reference, "path": "repository"}})
    volumes = {each["name"]: each for each in found["volumes"]}

    assert volumes["models"]["image"]["reference"] == reference
    assert found["initContainers"][0]["args"][2:] == ["--folder", "/models/repository"]
    assert "--model-repository=/models/repository" in found["containers"][0]["args"]


def test_a_volume_of_the_warm_tier_is_read_only_and_compared() -> None:
    found = pod(model={"persistentVolumeClaim": {"claim": "warm", "path": "digits/1"}})
    volumes = {each["name"]: each for each in found["volumes"]}

    assert volumes["models"]["persistentVolumeClaim"] == {"claimName": "warm", "readOnly": True}
    assert found["initContainers"][0]["args"][2:] == ["--folder", "/models/digits/1"]
    assert all(
        each["readOnly"]
        for each in found["initContainers"][0]["volumeMounts"]
        if each["mountPath"] == "/models"
    )


def test_the_list_of_files_is_the_manifests_own() -> None:
    revision = revision_on_kubernetes()
    listed = one(objects(), "ConfigMap")["data"]["files.json"]

    for name, digest in revision.release.repository.files.items():
        assert name in listed
        assert digest in listed


def test_ports_are_named_as_routes_and_gates_expect() -> None:
    ports = {each["name"]: each for each in objects().service["spec"]["ports"]}

    assert {name: each["port"] for name, each in ports.items()} == {
        "http": 8000,
        "grpc": 8001,
        "metrics": 8002,
    }
    assert ports["grpc"]["appProtocol"] == "kubernetes.io/h2c"


def test_a_cloud_identity_is_an_annotation_of_the_service_account() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/models"}
    found = objects(service_account_annotations=annotations)

    assert one(found, "ServiceAccount")["metadata"]["annotations"] == annotations


@pytest.mark.parametrize("changes", [{}, GROUP])
def test_an_identity_that_is_bound_to_a_name_is_that_of_an_existing_account(
    changes: dict[str, Any],
) -> None:
    found = objects(service_account="tidegate-models", **changes)

    assert "ServiceAccount" not in {each["kind"] for each in every(found)}
    for template in templates(found):
        assert template["spec"]["serviceAccountName"] == "tidegate-models"
        assert template["spec"]["automountServiceAccountToken"] is False


def test_without_an_account_of_a_fixed_name_a_slot_has_its_own() -> None:
    (own,) = templates(objects())

    assert own["spec"]["serviceAccountName"] == revision_on_kubernetes().id
    document = revision_on_kubernetes().model_dump(by_alias=True, exclude_none=True)
    added = {"serviceAccount", "extendedResources", "hugepagesGib"}
    assert not added & document["kubernetes"].keys()
    assert revision_on_kubernetes(service_account="a").id != revision_on_kubernetes().id


@pytest.mark.parametrize(
    ("replicas", "minimum"),
    [
        (Replicas(), 0),
        (Replicas(count=3), 2),
        (Replicas(count=3, min_available=1), 1),
        (Replicas(count=3, min_available=0), 0),
    ],
)
def test_an_eviction_leaves_enough(replicas: Replicas, minimum: int) -> None:
    assert objects(replicas).disruption_budget["spec"]["minAvailable"] == minimum


def test_replicas_and_what_they_leave_are_no_part_of_the_identity() -> None:
    assert objects(Replicas(count=3)).workload["metadata"]["name"] == revision_on_kubernetes().id


def test_statements_that_are_only_checked_are_no_part_of_the_identity() -> None:
    stated = revision_on_kubernetes(load_seconds=20.0, model_memory_gib=4.0)

    assert stated.id == revision_on_kubernetes().id
    assert revision_on_kubernetes(gpus=2).id != revision_on_kubernetes().id


# -- who may talk to whom ---------------------------------------------------------------------


def policy(**changes: Any) -> Any:
    return one(objects(**changes), "NetworkPolicy")["spec"]


def test_the_gateway_runners_and_monitoring_come_in_and_nobody_else() -> None:
    found = policy()

    assert found["policyTypes"] == ["Ingress", "Egress"]
    flows = [([port["port"] for port in rule["ports"]], rule["from"]) for rule in found["ingress"]]
    assert flows == [
        (
            [8000, 8001],
            [
                {
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": "envoy-gateway-system"}
                    },
                    "podSelector": {
                        "matchLabels": {
                            "gateway.envoyproxy.io/owning-gateway-name": "public",
                            "gateway.envoyproxy.io/owning-gateway-namespace": "edge",
                        }
                    },
                }
            ],
        ),
        (
            [8000, 8001, 8002],
            [
                {
                    "podSelector": {
                        "matchExpressions": [{"key": "tidegate.dev/job", "operator": "Exists"}]
                    }
                }
            ],
        ),
        (
            [8002],
            [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        ),
    ]


def ports_out(**changes: Any) -> set[int]:
    return {port["port"] for rule in policy(**changes)["egress"] for port in rule.get("ports", ())}


def test_only_what_loads_from_a_bucket_may_reach_one() -> None:
    claim = {"persistentVolumeClaim": {"claim": "warm"}}
    own = {"objectStorage": {"url": "s3://m/d", "endpoint": "http://minio.storage:9000"}}

    assert ports_out(model=claim) == {53}
    assert 443 in ports_out()
    assert 9000 in ports_out(model=own)


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [(None, set()), ("https://s3.test", set()), ("http://minio.storage:9000", {9000})],
)
def test_runners_may_reach_the_port_of_their_evidence(endpoint: str | None, more: set[int]) -> None:
    found = runner_policy(dataclasses.replace(NETWORK, evidence_endpoint=endpoint))["spec"]
    ports = {port["port"] for rule in found["egress"] if "to" not in rule for port in rule["ports"]}

    assert ports == {443, 6443} | more


def test_a_cluster_may_have_its_api_server_and_dns_elsewhere() -> None:
    """The policies' ports are those that the servers listen on, behind their Services."""
    cluster = ClusterNetwork(
        api_server_ports=(16443,), dns_namespace="openshift-dns", dns_ports=(53, 5353)
    )
    network = dataclasses.replace(NETWORK, cluster=cluster)
    slot = one(objects(network=network), "NetworkPolicy")["spec"]["egress"]
    runner = runner_policy(network)["spec"]["egress"]

    assert {"ports": [{"protocol": "TCP", "port": 16443}]} in runner
    for dns in (slot[0], runner[0]):
        labels = dns["to"][0]["namespaceSelector"]["matchLabels"]
        assert labels == {"kubernetes.io/metadata.name": "openshift-dns"}
        asked = [(each["port"], each["protocol"]) for each in dns["ports"]]
        assert asked == [(53, "UDP"), (53, "TCP"), (5353, "UDP"), (5353, "TCP")]


def test_the_volumes_of_a_slot_keep_their_owner() -> None:
    assert "fsGroup" not in pod()["securityContext"]


# -- several nodes for one replica -------------------------------------------------------------


def test_a_model_of_several_nodes_is_a_leader_worker_set() -> None:
    found = objects(Replicas(count=2), **GROUP).workload

    assert (found["apiVersion"], found["kind"]) == (
        "leaderworkerset.x-k8s.io/v1",
        "LeaderWorkerSet",
    )
    group = found["spec"]["leaderWorkerTemplate"]
    assert (found["spec"]["replicas"], group["size"]) == (2, 2)
    assert group["leaderTemplate"]["spec"]["containers"][0]["command"] == ["tritonserver"]
    assert group["workerTemplate"]["spec"]["containers"][0]["command"] == ["worker"]


def test_workers_outlive_the_server_that_they_work_for() -> None:
    """An eviction tells all pods of a group to end at once."""
    termination = {"pre_stop_seconds": 20, "exit_timeout_seconds": 45}
    leader, worker = (each["spec"] for each in templates(objects(**GROUP, termination=termination)))

    assert leader["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 20}}}
    assert worker["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 20 + 45}}}
    graces = {each["terminationGracePeriodSeconds"] for each in (leader, worker)}
    assert graces == {20 + 45 + 10}


def test_every_pod_of_a_group_asks_for_its_network_cards() -> None:
    cards = {"vpc.amazonaws.com/efa": 4, "rdma/shared_a": 1}
    for template in templates(objects(**GROUP, extended_resources=cards, hugepages_gib=5)):
        (container,) = template["spec"]["containers"]
        resources = container["resources"]
        assert resources["requests"] == resources["limits"]
        assert (
            resources["limits"].items()
            >= {
                "vpc.amazonaws.com/efa": "4",
                "rdma/shared_a": "1",
                "hugepages-2Mi": "5Gi",
                "nvidia.com/gpu": "4",
            }.items()
        )


def test_the_controller_of_groups_makes_no_service_of_the_revisions_name() -> None:
    """The slot's own Service has it."""
    found = objects(**GROUP)

    assert found.service["metadata"]["name"] == found.workload["metadata"]["name"]
    assert found.workload["spec"]["networkConfig"] == {"subdomainPolicy": "UniquePerReplica"}


def test_only_leaders_take_requests() -> None:
    selector = objects(**GROUP).service["spec"]["selector"]

    assert selector["leaderworkerset.sigs.k8s.io/worker-index"] == "0"


def test_a_group_may_lose_one_pod_at_most_because_that_takes_all_of_it() -> None:
    found = objects(Replicas(count=2, min_available=1), **GROUP)

    assert found.disruption_budget["spec"]["minAvailable"] == 3


def test_the_pods_of_a_group_may_talk_to_each_other() -> None:
    found = policy(**GROUP)
    own = {"podSelector": {"matchLabels": found["podSelector"]["matchLabels"]}}

    assert {"from": [own]} in found["ingress"]
    assert {"to": [own]} in found["egress"]


# -- what somebody else made -------------------------------------------------------------------


def test_a_deployment_of_the_users_own_gets_a_service_named_after_the_revision() -> None:
    existing = ExistingServing(
        deployment="triton-a", pod_labels={"app": "triton-a"}, ports=Ports(http=9000)
    )
    revision = revision_on_kubernetes().model_copy(
        update={"kubernetes": None, "existing": existing}
    )
    found = existing_service(revision, existing, "inference")

    assert found["metadata"]["name"] == revision.id
    assert found["spec"]["selector"] == {"app": "triton-a"}
    ports = {each["name"]: (each["port"], each["targetPort"]) for each in found["spec"]["ports"]}
    assert ports == {"http": (8000, 9000), "grpc": (8001, 8001), "metrics": (8002, 8002)}


@pytest.mark.parametrize(
    ("changes", "mend"),
    [
        ({"image": "nvcr.io/nvidia/tritonserver:26.07-py3"}, "an image with its digest"),
        ({"shared_memory_gib": 16}, "more memory than shared memory"),
        ({"nodes": 2}, "with workerCommand, or neither"),
        ({"worker_command": ["worker"]}, "with workerCommand, or neither"),
        (
            {"service_account": "models", "service_account_annotations": {"a/b": "c"}},
            "the annotations on the ServiceAccount models itself, or no serviceAccount",
        ),
        ({"extended_resources": {"nvidia.com/gpu": 2}}, "Instead: gpus: 2"),
        ({"extended_resources": {"cpu": 4}}, "Instead: cpus: <amount>"),
        ({"extended_resources": {"memory": 4}}, "Instead: memoryGib: <amount>"),
        ({"extended_resources": {"hugepages-2Mi": 4}}, "Instead: hugepagesGib: <amount>"),
        ({"extended_resources": {"hugepages-1Gi": 4}}, "a name such as 'vpc.amazonaws.com/efa'"),
        ({"hugepages_gib": 0.001}, "Instead: hugepagesGib: 1"),
        ({"extended_resources": {"kubernetes.io/a": 1}}, "as extended resources only those"),
        ({"extended_resources": {"rdma/a": 0}}, "greater than or equal to 1"),
        ({"service_account": "Models"}, "Instead: 'models'"),
        ({"model": {}}, "one of ociImage, objectStorage and persistentVolumeClaim"),
        ({"model": {"objectStorage": {"url": "s3://key:secret@models"}}}, "without credentials"),
        ({"model": {"persistentVolumeClaim": {"claim": "w", "path": "../a"}}}, "without '..'"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        serving_on_kubernetes(**changes)


def test_the_shortest_grace_still_holds_hook_and_exit() -> None:
    serving = KubernetesServing.model_validate(serving_on_kubernetes().model_dump())

    termination = serving.termination
    assert termination.grace_seconds >= (
        termination.pre_stop_seconds + termination.exit_timeout_seconds + 10
    )
