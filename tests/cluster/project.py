"""A copy of the project with a stack on a test cluster, driven through the real pulumi."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import lightkube
import yaml
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.batch_v1 import Job
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, Service, ServiceAccount

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import GATEWAY_CLASS
from tests.engine.harness.project import Project
from tests.engine.harness.releases import SERVICE
from tests.engine.harness.toolchain_environment import REPOSITORY
from tidegate.cluster import names
from tidegate.spec.release import load_release
from tidegate.spec.revision import Probes, Revision
from tidegate.spec.serving_on_kubernetes import KubernetesServing
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from toolchain.installed import tool_path

POOL = "l4"
GATES = "gates"
"""Namespace where the gates of all stacks take turns."""
LISTENER_PORT = 8080
HOST_NAME = "digits.example.org"
ANY_DIGEST = f"sha256:{'0' * 64}"
TRITON_IMAGE = f"nvcr.io/nvidia/tritonserver@{ANY_DIGEST}"
RUNNER_IMAGE = "registry.test/tidegate/runner:test"
MODELS = "registry.test/models"
HTTPRoute = create_namespaced_resource("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
KUBECONFIG_OF_THE_PROGRAM = "kubeconfig=str(path) if path is not None else None,"
KUBECONFIG_MADE_LATE = "kubeconfig=made_late(path),"
MADE_LATE = """
def made_late(path):
    import pulumi
    import pulumi_kubernetes
    provider = pulumi_kubernetes.Provider("before", kubeconfig=str(path), namespace="default")
    opts = pulumi.ResourceOptions(provider=provider)
    cluster = pulumi_kubernetes.core.v1.ConfigMap("cluster", opts=opts)
    # Not from its metadata: a preview knows those, from the API server's dry run.
    return cluster.id.apply(lambda made: path.read_text())
"""
OURS = {names.MANAGED_BY_LABEL: names.MANAGER}
SERVING: Mapping[str, Any] = MappingProxyType(
    {
        "pool": POOL,
        "cpus": 1,
        "memoryGib": 2,
        "sharedMemoryGib": 0.5,
        # A second of a pod that goes is a second of every `up` that takes a slot away.
        "termination": {"preStopSeconds": 2},
    }
)


@contextmanager
def project_in(
    cluster: KubernetesCluster, namespace: str, folder: Path
) -> Iterator["ClusterProject"]:
    """A project with a namespace of its own; both are removed at the end."""
    client = cluster.client()
    client.create(Namespace(metadata=ObjectMeta(name=namespace)))
    project = ClusterProject(folder / "p", cluster, namespace)
    yield project
    project.remove()
    if project.makes_namespace:
        assert not project.has_namespace
    else:
        client.delete(Namespace, namespace)


class ClusterProject(Project):
    """One project folder, one file backend, one stack named `test`, one namespace."""

    def __init__(self, root: Path, cluster: KubernetesCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.makes_namespace = False
        self.evidence = f"{names.WORK_FOLDER}/evidence"
        self.api: lightkube.Client = cluster.client(namespace)
        self.api.apply(Namespace(metadata=ObjectMeta(name=GATES)), field_manager="tests")
        super().__init__(root)
        plugins = tool_path("pulumi-resource-kubernetes").parent
        self.environment["PATH"] = f"{plugins}{os.pathsep}{self.environment['PATH']}"

    # -- what is declared ---------------------------------------------------------------------

    @property
    def platform(self) -> dict[str, Any]:
        """Settings of the cluster, as a stack file has them."""
        return {
            "kubernetes": {
                "kubeconfig": str(self.cluster.kubeconfig_file),
                "namespace": self.namespace,
                "createNamespace": self.makes_namespace,
                "runnerImage": RUNNER_IMAGE,
                "evidence": self.evidence,
                "image": TRITON_IMAGE,
                "gateway": {
                    "gatewayClass": GATEWAY_CLASS,
                    "httpPort": LISTENER_PORT,
                    "serviceType": "ClusterIP",
                    "replicas": 1,
                },
                "pools": {
                    POOL: {
                        "nodeLabels": {"tidegate.dev/accelerator-pool": POOL},
                        "gpusPerNode": 4,
                        "gpuMemoryGib": 24,
                    }
                },
                "gateLeaseNamespace": GATES,
                "schedulingSeconds": 60,
            }
        }

    def declare(
        self, services: Mapping[str, Any], platform: Mapping[str, Any] | None = None
    ) -> None:
        shipped = yaml.safe_load((REPOSITORY / "stacks" / "Pulumi.kubernetes.yaml").read_text())
        shipped["config"] = {
            "pulumi:disable-default-providers": ["tidegate", "kubernetes"],
            "tidegate:platform": self.platform if platform is None else dict(platform),
            "tidegate:services": dict(services),
        }
        self.stack_file.write_text(yaml.safe_dump(shipped, sort_keys=False), encoding="utf-8")

    def declare_digits(
        self,
        release: str,
        standby: str | None = None,
        serving: Mapping[str, Any] = MappingProxyType({}),
        **settings: Any,
    ) -> None:
        """Declare the digits service by release names; every release has its files in an image.

        `serving` are further settings of how the cluster serves it.
        """
        releases = [each for each in (release, standby) if each is not None]
        images = {f"{SERVICE}@{each}": {"reference": self.model_image(each)} for each in releases}
        super().declare_digits(
            release,
            standby,
            kubernetes={
                **SERVING,
                "hostnames": [HOST_NAME],
                "model": {"ociImages": images},
                **serving,
            },
            probes={"readyTimeoutSeconds": 60},
            **settings,
        )

    def revision(self, release: str, **probes: float) -> str:
        return self.revision_served(release, {}, **probes)

    def revision_served(self, release: str, serving: Mapping[str, Any], **probes: float) -> str:
        """Id of the revision that a release becomes; `serving` as in `declare_digits`."""
        loaded = load_release(self.serving_root, SERVICE, release)
        served = KubernetesServing.model_validate(
            {
                "image": TRITON_IMAGE,
                "model": {"ociImage": {"reference": self.model_image(release)}},
                **SERVING,
                **serving,
            }
        )
        return Revision(
            platform="kubernetes",
            release=loaded,
            probes=Probes(**{"ready_timeout_seconds": 60, **probes}),
            kubernetes=served,
        ).id

    def model_image(self, release: str) -> str:
        """An image with the release's files, which pods can mount from now on."""
        reference = f"{MODELS}/{SERVICE}-{release}@{ANY_DIGEST}"
        loaded = load_release(self.serving_root, SERVICE, release)
        self.cluster.images.add_artifact(reference, self.serving_root / loaded.repository.path)
        return reference

    def learn_the_cluster_late(self) -> None:
        """Have the program take its kubeconfig from a resource that has yet to be made."""
        program = self.root / "infra" / "__main__.py"
        text = program.read_text(encoding="utf-8")
        assert KUBECONFIG_OF_THE_PROGRAM in text
        late = text.replace(KUBECONFIG_OF_THE_PROGRAM, KUBECONFIG_MADE_LATE)
        program.write_text(f"{MADE_LATE}\n{late}", encoding="utf-8")

    # -- what is really there -----------------------------------------------------------------

    def weights(self) -> dict[str, int]:
        """Routes of the digits service as its HTTPRoute records them: revision to percentage."""
        routes = {each.metadata.name: each for each in self.objects(HTTPRoute)}
        if SERVICE not in routes:
            return {}
        recorded = routes[SERVICE].metadata.annotations[names.ROUTES_ANNOTATION]
        return dict(DesiredRoutes.parse(recorded).routes.weights)

    @property
    def has_namespace(self) -> bool:
        there = [each.metadata for each in self.api.list(Namespace)]
        return any(each is not None and each.name == self.namespace for each in there)

    def servers(self) -> set[str]:
        """Revisions that have a Deployment."""
        return {each.metadata.name for each in self.objects(Deployment)}

    def runner_pods(self, kind: str) -> list[Any]:
        """Pods of gates, switches or drains, oldest first."""
        found = self.objects(Pod, {names.JOB_LABEL: kind})
        return sorted(found, key=lambda pod: str(pod.metadata.creationTimestamp))

    def server_pods(self, revision: str) -> list[str]:
        """Names of the pods that serve a revision."""
        found = self.objects(Pod, {names.REVISION_LABEL: revision})
        return [p.metadata.name for p in found if names.JOB_LABEL not in p.metadata.labels]

    def left_objects(self, part: str = "") -> list[str]:
        """Kind and name of what the namespace still holds of ours with `part` in its name."""
        kinds = (ConfigMap, Deployment, HTTPRoute, Job, Lease, ServiceAccount, Service)
        found = [
            f"{kind.__name__} {each.metadata.name}" for kind in kinds for each in self.objects(kind)
        ]
        return [each for each in found if part in each]

    def objects(self, kind: Any, labels: Mapping[str, str] = OURS) -> list[Any]:
        """Objects of the namespace that carry the labels."""
        return list(self.api.list(kind, labels=dict(labels)))

    def remove(self) -> list[str]:
        """Take the stack down, whatever state it is in; the namespace goes with its fixture."""
        run = self.start("destroy", "--yes", "--skip-preview", "--stack", "test").wait()
        if not run.succeeded:
            self.start("cancel", "--yes", "--stack", "test").wait()
            self.start("destroy", "--yes", "--skip-preview", "--stack", "test").wait()
        return []
