"""Stack files for a cluster: to revisions, or to all that is wrong with file, key and mend."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from declarations import ServiceDeclaration, declare
from settings import Settings, SettingsError, load_settings

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
FILE = "stacks/Pulumi.test.yaml"
TRITON = "nvcr.io/nvidia/tritonserver@sha256:" + "7" * 64
BUCKET: dict[str, Any] = {"objectStorage": {"url": "s3://models/serving"}}


def cluster(**changes: Any) -> dict[str, Any]:
    return {
        "kubernetes": {
            "namespace": "inference",
            "runnerImage": "registry.test/tidegate/runner:1",
            "evidence": "s3://evidence/tidegate",
            "image": TRITON,
            "pools": {
                "l4": {
                    "nodeLabels": {"pool": "l4"},
                    "gpusPerNode": 4,
                    "gpuMemoryGib": 24,
                    "extendedResources": {"vpc.amazonaws.com/efa": 1},
                }
            },
            **changes,
        }
    }


def digits(kubernetes: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    served = {"pool": "l4", "model": BUCKET, **(kubernetes or {})}
    return {"digits": {"release": "digits@1", "kubernetes": served, **changes}}


def settings(services: Any, platform: Any = None) -> Settings:
    configuration = {
        "tidegate:platform": json.dumps(cluster() if platform is None else platform),
        "tidegate:services": json.dumps(services),
    }
    return load_settings(configuration, FILE)


def declared(services: Any, platform: Any = None, root: Path = ROOT) -> list[ServiceDeclaration]:
    return declare(settings(services, platform), root, "kubernetes", FILE)


def findings(services: Any, platform: Any = None, root: Path = ROOT) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        declared(services, platform, root)
    return raised.value.findings


def with_letters(root: Path, letters: dict[str, Any]) -> dict[str, Any]:
    """Two services, of which the second one is a copy with a model of another name."""
    (root / "loadtests").symlink_to(ROOT / "loadtests")
    releases = root / "serving" / "releases"
    for service in ("digits", "letters"):
        (releases / service).mkdir(parents=True)
        text = (ROOT / "serving/releases/digits/1.yaml").read_text()
        text = text.replace("service: digits", f"service: {service}")
        text = text.replace("- name: digits", f"- name: {service}")
        (releases / service / "1.yaml").write_text(text)
    served = {"pool": "l4", "model": BUCKET, **letters}
    return {"letters": {"release": "letters@1", "kubernetes": served}}


def test_a_release_and_its_standby_are_found_in_the_bucket_as_below_the_serving_root() -> None:
    (service,) = declared(digits(standby="digits@2"))

    assert service.standby is not None
    for revision, number in ((service.live, 1), (service.standby, 2)):
        assert revision.kubernetes is not None
        storage = revision.kubernetes.model.object_storage
        assert storage is not None
        assert storage.url == f"s3://models/serving/models/digits/{number}"
        assert revision.kubernetes.image == TRITON


def test_a_volume_has_a_folder_for_each_release() -> None:
    volume = {"persistentVolumeClaim": {"claim": "warm", "path": "tier"}}
    (service,) = declared(digits({"model": volume}))

    assert service.live.kubernetes is not None
    claim = service.live.kubernetes.model.persistent_volume_claim
    assert claim is not None
    assert claim.path == "tier/models/digits/1"


def test_where_the_service_runs_is_part_of_the_revision_and_how_often_is_not() -> None:
    (plain,) = declared(digits())
    (replicated,) = declared(digits({"replicas": 3, "loadSeconds": 5, "hostnames": ["a.b"]}))
    (larger,) = declared(digits({"gpus": 2}))

    assert replicated.live.id == plain.live.id
    assert larger.live.id != plain.live.id


def test_an_account_of_a_fixed_name_is_another_way_to_serve() -> None:
    (own,) = declared(digits())
    (fixed,) = declared(digits({"serviceAccount": "tidegate-models"}))

    assert fixed.live.kubernetes is not None
    assert fixed.live.kubernetes.service_account == "tidegate-models"
    assert fixed.live.id != own.live.id


def test_a_cluster_with_a_private_registry_and_services_of_its_own() -> None:
    runner = {
        "nodeLabels": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "dedicated", "effect": "NoSchedule"}],
        "serviceAccountAnnotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/a"},
    }
    network = {"apiServerPorts": [16443], "dnsNamespace": "openshift-dns", "dnsPorts": [53, 5353]}
    changes = {"imagePullSecrets": ["registry"], "runner": runner, "network": network}
    found = settings(digits(), cluster(**changes)).kubernetes
    (plain,), (private,) = declared(digits()), declared(digits(), cluster(**changes))

    assert found is not None
    assert found.image_pull_secrets == ["registry"]
    assert found.runner.tolerations[0].key == "dedicated"
    assert found.network.dns_ports == (53, 5353)
    # How images are pulled shapes no answer.
    assert private.live.id == plain.live.id


def test_a_deployment_of_the_users_own() -> None:
    own = {"digits@1": {"deployment": "triton-a", "podLabels": {"app": "a"}, "pool": "l4"}}
    services = {"digits": {"release": "digits@1", "kubernetes": {"existing": own}}}
    (service,) = declared(services)

    assert service.live.existing is not None
    assert service.live.existing.deployment == "triton-a"


@pytest.mark.parametrize(
    ("kubernetes", "finding", "mend"),
    [
        ({"gpus": 8}, "gpus: 8 cannot work: a node of the pool l4 has 4 GPUs", "gpus: 4 or fewer"),
        (
            {"modelMemoryGib": 40},
            "modelMemoryGib: 40.0 cannot work: a replica has 1 GPUs of 24 GiB",
            "2 GPUs for a replica",
        ),
        ({"pool": "l40"}, "pool: 'l40' cannot work: no such pool is declared", "'l4'"),
        (
            {"replicas": 2, "minAvailable": 2},
            "replicas: 2 cannot work: it is no more than the 2 that minAvailable keeps",
            "replicas: 3, or minAvailable: 1",
        ),
        (
            {"replicas": 2, "minAvailable": 3},
            "replicas: 2 cannot work: it is fewer than the 3 that minAvailable keeps",
            "replicas: 4, or minAvailable: 1",
        ),
        (
            {"model": {"ociImages": {"digits@2": {"reference": TRITON}}}},
            "model.ociImages: 'digits@1' cannot work: no image is named for this release",
            "'digits@1': {reference: registry/name@sha256:",
        ),
        ({"memoryGib": 1}, "memoryGib: 1.0 cannot work: sharedMemoryGib (1) is", "more memory"),
        ({"nodes": 2}, "nodes: 2 cannot work", "with workerCommand"),
        (
            {"extendedResources": {"vpc.amazonaws.com/efa": 2}},
            "extendedResources: 'vpc.amazonaws.com/efa: 2' cannot work: a node of the pool l4",
            "vpc.amazonaws.com/efa: 1",
        ),
        (
            {"extendedResources": {"nvidia.com/gpu": 2}},
            "extendedResources: 'nvidia.com/gpu' cannot work: GPUs have a key of their own",
            "gpus: 2",
        ),
        (
            {"serviceAccount": "models", "serviceAccountAnnotations": {"a/b": "c"}},
            "serviceAccountAnnotations: {'a/b': 'c'} cannot work: serviceAccount names models",
            "the annotations on the ServiceAccount models itself",
        ),
    ],
)
def test_what_cannot_be_served_is_said_at_its_key(
    kubernetes: dict[str, Any], finding: str, mend: str
) -> None:
    (sentence,) = findings(digits(kubernetes, standby="digits@2"))

    assert sentence.startswith(f"{FILE}: tidegate:services.digits.kubernetes: ")
    assert finding in sentence
    assert mend in sentence.partition("Instead: ")[2]


def test_a_probe_budget_shorter_than_the_stated_load_time() -> None:
    (sentence,) = findings(digits({"loadSeconds": 100}, probes={"readyTimeoutSeconds": 60}))

    assert sentence.startswith(
        f"{FILE}: tidegate:services.digits: probes.readyTimeoutSeconds: 60.0 cannot work: the "
        "models take 100 s to load"
    )


def test_without_any_image_of_triton_the_message_says_where_one_is_written() -> None:
    (sentence,) = findings(digits(), cluster(image=None))

    assert "digits@1 names servers for local only" in sentence
    assert "kubernetes.image with a Triton image by digest" in sentence


def test_a_service_that_does_not_say_how_the_cluster_serves_it() -> None:
    assert findings({"digits": {"release": "digits@1"}}) == [
        f"{FILE}: tidegate:services.digits.kubernetes: is missing. "
        "Instead: write pool and model, or `existing`."
    ]


def test_settings_of_a_cluster_on_one_machine() -> None:
    with pytest.raises(SettingsError) as raised:
        declare(settings(digits(), {"local": {}}), ROOT, "local", FILE)

    assert raised.value.findings == [
        f"{FILE}: tidegate:services.digits.kubernetes: cannot work: the platform is local. "
        "Instead: remove it."
    ]


def test_host_names_that_clash_between_services(tmp_path: Path) -> None:
    letters = with_letters(tmp_path, {"hostnames": ["digits.example.org"]})
    services = {**digits({"hostnames": ["digits.example.org"]}), **letters}
    (sentence,) = findings(services, root=tmp_path)

    assert sentence.startswith(f"{FILE}: tidegate:services.letters.kubernetes.hostnames: ")
    assert "also a host name of 'digits'" in sentence


def test_a_host_name_may_stand_for_many_and_a_route_holds_so_many() -> None:
    (service,) = declared(digits({"hostnames": ["*.example.org"]}))
    assert service.settings.kubernetes is not None
    assert service.settings.kubernetes.hostnames == ["*.example.org"]

    sixteen = [f"a{number}.example.org" for number in range(16)]
    assert declared(digits({"hostnames": sixteen}))
    (sentence,) = findings(digits({"hostnames": [*sixteen, "b.example.org"]}))
    assert sentence.startswith(
        f"{FILE}: tidegate:services.digits.kubernetes: hostnames: 17 cannot work: a route of the "
        "Gateway API holds 16 host names. Instead: 16 at most"
    )


def test_several_services_need_host_names(tmp_path: Path) -> None:
    letters = with_letters(tmp_path, {"hostnames": ["letters.example.org"]})
    (sentence,) = findings({**digits(), **letters}, root=tmp_path)

    assert sentence.startswith(f"{FILE}: tidegate:services.digits.kubernetes.hostnames: ")
    assert "Instead: write a host name" in sentence


def test_a_name_too_long_for_a_group_of_nodes(tmp_path: Path) -> None:
    service = "s" * 40
    releases = tmp_path / "serving" / "releases" / service
    releases.mkdir(parents=True)
    (tmp_path / "loadtests").symlink_to(ROOT / "loadtests")
    text = (ROOT / "serving/releases/digits/1.yaml").read_text()
    text = text.replace("service: digits", f"service: {service}")
    (releases / "abc.yaml").write_text(text.replace("release: '1'", "release: abc"))
    group = {"nodes": 2, "workerCommand": ["worker"], "pool": "l4", "model": BUCKET}
    services = {service: {"release": f"{service}@abc", "kubernetes": group}}

    (sentence,) = findings(services, root=tmp_path)

    assert sentence.startswith(f"{FILE}: tidegate:services.{service}.release: ")
    assert "has 53 characters, the name of a LeaderWorkerSet has at most 48" in sentence


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    (sentence,) = findings(digits(), cluster(kubeconfig=str(tmp_path / "none")))

    assert sentence.startswith(f"{FILE}: tidegate:platform.kubernetes: kubeconfig: ")
    assert "there is no such file" in sentence


@pytest.mark.parametrize(
    ("platform", "key", "mend"),
    [
        ({}, "platform: ", "write either `local: {}` or `kubernetes`"),
        ({"local": {}, **cluster()}, "platform: ", "write either `local: {}` or `kubernetes`"),
        (cluster(namespace="No"), "platform.kubernetes.namespace", "Instead: 'no'"),
        (cluster(namespace="n" * 64), "platform.kubernetes.namespace", "a shorter name"),
        (
            cluster(imagePullSecrets=["my_registry"]),
            "platform.kubernetes.imagePullSecrets.0",
            "Instead: 'my-registry'",
        ),
        (cluster(pools={"L4": {}}), "platform.kubernetes.pools.L4", "Instead: 'l4'"),
        (
            cluster(network={"apiServerPorts": []}),
            "platform.kubernetes.network.apiServerPorts",
            "at least 1 item",
        ),
        (
            cluster(runner={"nodeSelector": {}}),
            "platform.kubernetes.runner.nodeSelector",
            "known here: nodeLabels, serviceAccountAnnotations, tolerations",
        ),
        (cluster(image="tritonserver:1"), "platform.kubernetes.image", "an image with its digest"),
        (cluster(evidence="ftp://x"), "platform.kubernetes.evidence", "s3://bucket/prefix"),
        (cluster(evidenceEndpoint="minio"), "platform.kubernetes.evidenceEndpoint", "https://host"),
        (
            cluster(evidence="gs://a/b", evidenceEndpoint="http://minio:9000"),
            "platform.kubernetes",
            "evidence: s3://bucket/prefix, or no evidenceEndpoint",
        ),
        (cluster(gateway={"ipFamily": "6"}), "platform.kubernetes.gateway.ipFamily", "DualStack"),
        (cluster(contxt="a"), "platform.kubernetes.contxt", "write 'context'"),
        (cluster(gateway={"htpPort": 1}), "platform.kubernetes.gateway.htpPort", "'httpPort'"),
        (
            cluster(gateway={"existing": {"namespace": "a", "name": "b"}, "httpPort": 80}),
            "platform.kubernetes.gateway",
            "write `existing` alone",
        ),
    ],
)
def test_a_cluster_that_cannot_be_meant(platform: Any, key: str, mend: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings(digits(), platform)
    sentences = raised.value.findings

    assert any(each.startswith(f"{FILE}: tidegate:{key}") and mend in each for each in sentences), (
        sentences
    )


@pytest.mark.parametrize(
    ("kubernetes", "key", "mend"),
    [
        ({"gpu": 1}, "digits.kubernetes.gpu", "write 'gpus'"),
        ({"model": {}}, "digits.kubernetes.model", "one of objectStorage"),
        ({"model": None}, "digits.kubernetes", "write pool and model"),
        ({"hostnames": ["A b"]}, "digits.kubernetes.hostnames.0", "Instead: 'a-b'"),
        (
            {"hostnames": ["https://digits.example.org:443/v2"]},
            "digits.kubernetes.hostnames.0",
            "Instead: 'digits.example.org'",
        ),
        (
            {"hostnames": ["a.*.org"]},
            "digits.kubernetes.hostnames.0",
            "'*' may stand for the first",
        ),
        ({"existing": {}}, "digits.kubernetes", "write `existing`, or what makes a Deployment"),
    ],
)
def test_a_service_that_cannot_be_meant(kubernetes: Any, key: str, mend: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings(digits(kubernetes))
    (sentence,) = raised.value.findings

    assert sentence.startswith(f"{FILE}: tidegate:services.{key}: ")
    assert mend in sentence


def test_the_example_stack_works_once_its_blanks_are_filled() -> None:
    text = (ROOT / "stacks" / "Pulumi.kubernetes.yaml").read_text()
    filled = re.sub(r"<digest>", "7" * 64, text)
    filled = re.sub(r"<[^>]*>", "blank", filled)
    content = yaml.safe_load(filled)["config"]
    configuration = {key: json.dumps(value) for key, value in content.items()}

    (service,) = declare(load_settings(configuration, FILE), ROOT, "kubernetes", FILE)

    assert service.live.id.startswith("digits-1-")
    assert set(content["pulumi:disable-default-providers"]) == {"tidegate", "kubernetes"}
