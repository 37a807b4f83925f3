"""The same objects from a program that somebody writes by hand with pulumi-kubernetes.

It has every manifest ready in a file and only declares it: the least that such a program can do.
Routes are among its resources; ours are written by the switch's Job. Deployments and Services are
awaited by the Kubernetes provider, where ours are by `SlotReadiness`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.cluster.many_services import ManyServices, host_name, pretended_pool
from tests.cluster.project import LISTENER_PORT, ClusterProject
from tests.engine.harness.command import Command
from tests.engine.harness.toolchain_environment import VENV
from tidegate.kubernetes.gateway_objects import gateway_objects, reference
from tidegate.kubernetes.network import Network, default_deny, runner_policy
from tidegate.kubernetes.objects import Manifest
from tidegate.kubernetes.platform_objects import priority_class, priority_class_name
from tidegate.kubernetes.runner_access import runner_access
from tidegate.kubernetes.slot_objects import slot_objects
from tidegate.spec.accelerator_pool import AcceleratorPool
from tidegate.spec.kubernetes_gateway import GatewayReference, NewGateway
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import Replicas
from tidegate.traffic.gateway_api.desired import DesiredRoutes
from tidegate.traffic.gateway_api.objects import render
from tidegate.traffic.routes import ServiceRoutes

STACK = "by-hand"
AWAITED = ("Deployment", "Service")
PULUMI_YAML = """name: by-hand
runtime:
  name: python
  options:
    virtualenv: .venv
"""
PROGRAM = """
import json
import re
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s

CLASSES = {
    "ConfigMap": k8s.core.v1.ConfigMap,
    "Deployment": k8s.apps.v1.Deployment,
    "NetworkPolicy": k8s.networking.v1.NetworkPolicy,
    "PodDisruptionBudget": k8s.policy.v1.PodDisruptionBudget,
    "PriorityClass": k8s.scheduling.v1.PriorityClass,
    "Role": k8s.rbac.v1.Role,
    "RoleBinding": k8s.rbac.v1.RoleBinding,
    "Service": k8s.core.v1.Service,
    "ServiceAccount": k8s.core.v1.ServiceAccount,
}


def declare(manifest, opts):
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    namespace = manifest["metadata"].get("namespace", "")
    if kind in CLASSES:
        content = {
            re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), key): value
            for key, value in manifest.items()
            if key not in ("apiVersion", "kind")
        }
        return CLASSES[kind](f"{namespace}/{name}", opts=opts, **content)
    return k8s.apiextensions.CustomResource(
        f"{namespace}/{name}",
        api_version=manifest["apiVersion"],
        kind=kind,
        metadata=manifest["metadata"],
        spec=manifest["spec"],
        opts=opts,
    )


content = json.loads(Path("objects.json").read_text())
cluster = k8s.Provider("cluster", kubeconfig=content["kubeconfig"])
first = [declare(each, pulumi.ResourceOptions(provider=cluster)) for each in content["first"]]
for service in content["services"]:
    for each in service:
        declare(each, pulumi.ResourceOptions(provider=cluster, depends_on=first))
"""


class ByHand:
    """A project of its own for the services of another one, in a namespace of its own."""

    def __init__(
        self, root: Path, like: ClusterProject, namespace: str, services: ManyServices
    ) -> None:
        self.root, self._number = root, 0
        self._environment = {
            **like.environment,
            "PULUMI_HOME": str(root / "pulumi-home"),
            "PULUMI_BACKEND_URL": f"file://{root / 'backend'}",
        }
        (root / "backend").mkdir(parents=True)
        (root / "Pulumi.yaml").write_text(PULUMI_YAML)
        (root / "__main__.py").write_text(PROGRAM.lstrip())
        (root / ".venv").symlink_to(VENV)
        content = {
            "kubeconfig": str(like.cluster.kubeconfig_file),
            "first": platform_objects(namespace, like.platform),
            "services": [
                list(service_objects(namespace, like.platform, services.pool, revision))
                for revision in services.revisions().values()
            ],
        }
        (root / "objects.json").write_text(json.dumps(content))
        init = self.start("stack", "init", STACK).wait()
        assert init.succeeded, init.output

    def start(self, *arguments: str) -> Command:
        """Start pulumi and return at once."""
        self._number += 1
        return Command(
            (*arguments, "--non-interactive", "--color", "never"),
            self.root,
            self._environment,
            self.root / f"{self._number:03d}.log",
        )


def platform_objects(namespace: str, platform: Mapping[str, object]) -> Sequence[Manifest]:
    """What `KubernetesPlatform` declares, in its order."""
    gateway = _gateway(platform)
    where = reference(gateway, namespace)
    return [
        priority_class(namespace),
        *gateway_objects(gateway, namespace),
        default_deny(namespace),
        *runner_access(namespace, where),
        runner_policy(_network(namespace, where)),
    ]


def service_objects(
    namespace: str, platform: Mapping[str, object], pool: str, revision: Revision
) -> Iterator[Manifest]:
    """The objects of the service's slot, and those of its routes."""
    assert revision.kubernetes is not None
    where = reference(_gateway(platform), namespace)
    settings = platform["kubernetes"]
    assert isinstance(settings, dict)
    slot = slot_objects(
        revision,
        revision.kubernetes,
        AcceleratorPool.model_validate({"name": pool, **pretended_pool(pool)}),
        Replicas(),
        network=_network(namespace, where),
        runner_image=settings["runnerImage"],
        priority_class=priority_class_name(namespace),
    )
    for each in (*slot.before, slot.workload, slot.service, slot.disruption_budget):
        yield _awaited(each) if each["kind"] in AWAITED else each
    routes = ServiceRoutes(
        service=revision.service,
        models=tuple(model.name for model in revision.release.models),
        weights={revision.id: 100},
        request_timeout_seconds=30,
        hostnames=(host_name(revision.service),),
    )
    for kind, content in render(DesiredRoutes(routes, ()), where).items():
        metadata = {**content["metadata"], "namespace": namespace}
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        yield {**head, **content, "metadata": metadata}


def _awaited(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "annotations"}
    return {**manifest, "metadata": metadata}


def _gateway(platform: Mapping[str, object]) -> NewGateway:
    settings = platform["kubernetes"]
    assert isinstance(settings, dict)
    gateway = {"httpPort": LISTENER_PORT, **settings["gateway"]}
    return NewGateway.model_validate(gateway)


def _network(namespace: str, gateway: GatewayReference) -> Network:
    return Network(namespace=namespace, gateway=gateway, monitoring_namespace="monitoring")
