"""The same objects from a program that somebody writes by hand with pulumi-kubernetes.

It has every manifest ready in a file and only declares it: the least that such a program can do.
Routes are among its resources; ours are written by the switch's Job. By default Deployments and
Services are awaited by the Kubernetes provider, where ours are by `SlotReadiness`; a program that
does not wait ends before its servers are ready.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.cluster.many_services import ManyServices, host_name, pretended_pool
from tests.cluster.project import GATES, LISTENER_PORT, ClusterProject
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
REQUEST_TIMEOUT_SECONDS = 30.0
"""As a stack file has it that says nothing."""
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
kinds = [each["kind"] for each in content["first"]]
needed = [made for made, kind in zip(first, kinds) if kind in ("PriorityClass", "Gateway")]
for service in content["services"]:
    made = []
    for each in service:
        # Its account and files come before it in the file, and are there before its pods.
        depends_on = needed + made if each["kind"] == "Deployment" else needed
        opts = pulumi.ResourceOptions(provider=cluster, depends_on=depends_on)
        made.append(declare(each, opts))
"""


class ByHand:
    """A project of its own for the services of another one, in a namespace of its own.

    `waits`: an `up` ends when the servers are ready, as ours does.
    """

    def __init__(
        self,
        root: Path,
        like: ClusterProject,
        namespace: str,
        services: ManyServices,
        *,
        waits: bool = True,
    ) -> None:
        self.root, self._number = root, 0
        self._like, self._namespace, self._services = like, namespace, services
        self._waits = waits
        self._environment = {
            **like.environment,
            "PULUMI_HOME": str(root / "pulumi-home"),
            "PULUMI_BACKEND_URL": f"file://{root / 'backend'}",
        }
        (root / "backend").mkdir(parents=True)
        (root / "Pulumi.yaml").write_text(PULUMI_YAML)
        (root / "__main__.py").write_text(PROGRAM.lstrip())
        (root / ".venv").symlink_to(VENV)
        self.declare({})
        init = self.start("stack", "init", STACK).wait()
        assert init.succeeded, init.output

    def declare(self, request_timeouts: Mapping[str, float]) -> None:
        """Write what the program declares; timeouts in seconds of the services that have own."""
        like, namespace = self._like, self._namespace
        services = [
            [
                self._awaited(each)
                for each in service_objects(
                    namespace,
                    like.platform,
                    self._services.pool,
                    revision,
                    request_timeouts.get(service, REQUEST_TIMEOUT_SECONDS),
                )
            ]
            for service, revision in self._services.revisions().items()
        ]
        content = {
            "kubeconfig": str(like.cluster.kubeconfig_file),
            "first": platform_objects(namespace, like.platform),
            "services": services,
        }
        (self.root / "objects.json").write_text(json.dumps(content))

    def _awaited(self, manifest: Manifest) -> Manifest:
        """Without the annotation of ours that leaves the waiting to `SlotReadiness`."""
        if not self._waits or manifest["kind"] not in AWAITED:
            return manifest
        metadata = {k: value for k, value in manifest["metadata"].items() if k != "annotations"}
        return {**manifest, "metadata": metadata}

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
        *runner_access(namespace, where, "tests/by-hand", GATES),
        runner_policy(_network(namespace, where)),
    ]


def service_objects(
    namespace: str,
    platform: Mapping[str, object],
    pool: str,
    revision: Revision,
    request_timeout_seconds: float,
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
    yield from (*slot.before, slot.workload, slot.service, slot.disruption_budget)
    routes = ServiceRoutes(
        service=revision.service,
        models=tuple(model.name for model in revision.release.models),
        weights={revision.id: 100},
        request_timeout_seconds=request_timeout_seconds,
        hostnames=(host_name(revision.service),),
    )
    for kind, content in render(DesiredRoutes(routes, ()), where):
        metadata = {**content["metadata"], "namespace": namespace}
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        yield {**head, **content, "metadata": metadata}


def _gateway(platform: Mapping[str, object]) -> NewGateway:
    settings = platform["kubernetes"]
    assert isinstance(settings, dict)
    gateway = {"httpPort": LISTENER_PORT, **settings["gateway"]}
    return NewGateway.model_validate(gateway)


def _network(namespace: str, gateway: GatewayReference) -> Network:
    return Network(namespace=namespace, gateway=gateway, monitoring_namespace="monitoring")
