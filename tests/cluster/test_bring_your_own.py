"""Deployments and a Gateway that others made: tidegate gates and switches, and both stay theirs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube.codecs import from_dict
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Service

from tests.cluster.harness.cluster import KubernetesCluster
from tests.cluster.harness.envoy_gateway import GATEWAY_CLASS, EnvoyGateway
from tests.cluster.project import (
    HOST_NAME,
    LISTENER_PORT,
    POOL,
    TRITON_IMAGE,
    ClusterProject,
    HTTPRoute,
    project_in,
)
from tests.cluster.users import Users
from tests.engine.harness.releases import SERVICE
from tests.engine.harness.waiting import wait_for
from tidegate.cluster import names
from tidegate.kubernetes.gateway_objects import gateway_objects
from tidegate.spec.kubernetes_gateway import NewGateway

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NAMESPACE = "theirs"
ENVOY_GATEWAY = ("gateway.envoyproxy.io", "v1alpha1")
create_namespaced_resource(*ENVOY_GATEWAY, "EnvoyProxy", "envoyproxies")
create_namespaced_resource(*ENVOY_GATEWAY, "BackendTrafficPolicy", "backendtrafficpolicies")
create_namespaced_resource(*ENVOY_GATEWAY, "ClientTrafficPolicy", "clienttrafficpolicies")
create_namespaced_resource("gateway.networking.k8s.io", "v1", "Gateway", "gateways")
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      nodeSelector: {{tidegate.dev/accelerator-pool: {pool}}}
      tolerations: [{{key: nvidia.com/gpu, operator: Exists}}]
      volumes:
        - {{name: models, image: {{reference: "{model}"}}}}
        - {{name: shared-memory, emptyDir: {{medium: Memory, sizeLimit: 256Mi}}}}
        - {{name: scratch, emptyDir: {{}}}}
      containers:
        - name: triton
          image: {image}
          command: [tritonserver, --model-repository=/models, --disable-auto-complete-config]
          env: [{{name: HOME, value: /tmp}}]
          ports: [{{containerPort: 8000}}, {{containerPort: 8001}}, {{containerPort: 8002}}]
          readinessProbe: {{httpGet: {{path: /v2/health/ready, port: 8000}}, periodSeconds: 1}}
          volumeMounts:
            - {{name: models, mountPath: /models, readOnly: true}}
            - {{name: shared-memory, mountPath: /dev/shm}}
            - {{name: scratch, mountPath: /tmp}}
"""


class Theirs:
    """A stack of ours over servers and a Gateway of others."""

    def __init__(self, project: ClusterProject) -> None:
        self.project = project
        gateway = NewGateway(
            gateway_class=GATEWAY_CLASS,
            http_port=LISTENER_PORT,
            service_type="ClusterIP",
            replicas=1,
        )
        for each in gateway_objects(gateway, NAMESPACE):
            project.api.apply(from_dict(each), field_manager="others")
        self._platform = project.platform
        existing = {"namespace": NAMESPACE, "name": "tidegate"}
        self._platform["kubernetes"]["gateway"] = {"existing": existing}

    def deploy(self, release: str) -> None:
        text = DEPLOYMENT.format(
            name=_name(release),
            pool=POOL,
            image=TRITON_IMAGE,
            model=self.project.model_image(release),
        )
        self.project.api.apply(from_dict(yaml.safe_load(text)), field_manager="others")

    def declare(self, release: str, standby: str | None = None) -> None:
        releases = [each for each in (release, standby) if each is not None]
        existing: dict[str, Any] = {
            f"{SERVICE}@{each}": {
                "deployment": _name(each),
                "podLabels": {"app": _name(each)},
                "pool": POOL,
            }
            for each in releases
        }
        service: dict[str, Any] = {
            "release": f"{SERVICE}@{release}",
            "gate": {"profile": "test"},
            "kubernetes": {"existing": existing, "hostnames": [HOST_NAME]},
        }
        if standby is not None:
            service["standby"] = f"{SERVICE}@{standby}"
        self.project.declare({SERVICE: service}, self._platform)


def _name(release: str) -> str:
    return f"triton-{release}"


@pytest.fixture
def theirs(cluster: KubernetesCluster, gateway: EnvoyGateway, tmp_path: Path) -> Iterator[Theirs]:
    with project_in(cluster, NAMESPACE, tmp_path) as project:
        yield Theirs(project)


def test_deployments_of_others_are_gated_switched_and_left(
    theirs: Theirs, gateway: EnvoyGateway
) -> None:
    project = theirs.project
    theirs.deploy("1")
    theirs.declare("1")
    project.up()
    (one,) = project.weights()
    assert not project.preview().changes

    new = project.new_release()
    theirs.deploy(new)
    theirs.declare(new, standby="1")
    with Users(project, gateway) as users:
        project.up()
    (two,) = (each for each, weight in project.weights().items() if weight)
    assert users.failures == []
    assert users.revisions == [one, two]
    assert len(project.objects(Job, {names.JOB_LABEL: "gate"})) == 2

    project.destroy()
    wait_for("the end of all of ours", lambda: not project.left_objects(), 60)
    assert project.objects(HTTPRoute) == []
    assert project.objects(Service) == []
    assert {each.metadata.name for each in project.objects(Deployment, {})} == {
        _name("1"),
        _name(new),
    }
