"""Small objects that the tests of the harness create."""

from __future__ import annotations

from typing import Any

import yaml
from lightkube import Client, codecs
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.batch_v1 import Job

from tests.cluster.harness.programs import RUNNER_IMAGE
from tests.engine.harness.waiting import wait_for

LISTENER_PORT = 8888
HOST_NAME = "digits.test"

for kind in ("Gateway", "HTTPRoute", "GRPCRoute"):
    create_namespaced_resource("gateway.networking.k8s.io", "v1", kind, f"{kind.lower()}s")
create_namespaced_resource("gateway.envoyproxy.io", "v1alpha1", "EnvoyProxy", "envoyproxies")

CRASHING = f"""
apiVersion: v1
kind: Pod
metadata: {{name: crashing}}
spec:
  containers:
    - name: server
      image: {RUNNER_IMAGE}
      command: [sh, -c, "echo no model; exit 7"]
      terminationMessagePolicy: FallbackToLogsOnError
"""

HOOKED = f"""
apiVersion: v1
kind: Secret
metadata: {{name: key}}
stringData: {{key: hidden}}
---
apiVersion: v1
kind: Pod
metadata: {{name: hooked}}
spec:
  terminationGracePeriodSeconds: 20
  initContainers:
    - name: sidecar
      image: {RUNNER_IMAGE}
      restartPolicy: Always
      command: [sh, -c, 'trap "exit 0" TERM; while :; do sleep 0.1; done']
    - name: fetch
      image: {RUNNER_IMAGE}
      command: [sh, -c, "echo model > /work/model"]
      volumeMounts: [{{name: work, mountPath: /work}}]
  containers:
    - name: server
      image: {RUNNER_IMAGE}
      command: [sh, -c, 'trap "echo terminated; exit 0" TERM; while :; do sleep 0.1; done']
      lifecycle:
        preStop: {{exec: {{command: [sh, -c, "echo left the load balancer >> /proc/1/fd/1"]}}}}
      readinessProbe: {{exec: {{command: [test, -s, /work/model]}}}}
      volumeMounts:
        - {{name: work, mountPath: /work}}
        - {{name: key, mountPath: /secret, readOnly: true}}
  volumes:
    - {{name: work, emptyDir: {{}}}}
    - {{name: key, secret: {{secretName: key}}}}
"""

IDENTITY = """
import json, os, pathlib, ssl, urllib.request
account = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
context = ssl.create_default_context(cafile=str(account / "ca.crt"))
server = "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}".format(**os.environ)
token = (account / "token").read_text()
request = urllib.request.Request(server + "/version", headers={"Authorization": "Bearer " + token})
version = json.load(urllib.request.urlopen(request, context=context))["gitVersion"]
golden = pathlib.Path("/etc/tidegate/run/golden.npz").read_bytes().decode()
message = {"version": version, "golden": golden, "namespace": os.environ["NAMESPACE"]}
pathlib.Path("/var/run/tidegate/termination.json").write_text(json.dumps(message))
print("done")
"""

JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: runner
          terminationMessagePath: /var/run/tidegate/termination.json
          securityContext: {readOnlyRootFilesystem: true}
          env: [{name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}]
          volumeMounts:
            - {name: request, mountPath: /etc/tidegate/run, readOnly: true}
            - {name: work, mountPath: /var/run/tidegate}
      volumes:
        - {name: request, configMap: {name: request}}
        - {name: work, emptyDir: {}}
"""

SLOT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: digits}
spec:
  selector: {matchLabels: {app: digits}}
  template:
    metadata: {labels: {app: digits}}
    spec:
      tolerations: [{key: nvidia.com/gpu, operator: Exists}]
      terminationGracePeriodSeconds: 15
      containers:
        - name: server
          command: [tritonserver, --model-repository=/models, --model-control-mode=none]
          args: [--disable-auto-complete-config, --exit-timeout-secs=5]
          resources: {limits: {nvidia.com/gpu: "1"}}
          ports: [{name: http, containerPort: 8000}]
          startupProbe:
            httpGet: {path: /v2/health/ready, port: http}
            failureThreshold: 30
          readinessProbe: {httpGet: {path: /v2/models/digits/versions/1/ready, port: http}}
          volumeMounts: [{name: models, mountPath: /models, readOnly: true}]
---
apiVersion: v1
kind: Service
metadata: {name: digits}
spec:
  selector: {app: digits}
  ports:
    - {name: http, port: 8000}
    - {name: grpc, port: 8001, appProtocol: kubernetes.io/h2c}
"""

GATEWAY = f"""
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {{name: proxy}}
spec:
  mergeBackends: {{}}
  provider:
    type: Kubernetes
    kubernetes: {{envoyService: {{type: ClusterIP}}, envoyDeployment: {{replicas: 2}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  gatewayClassName: tidegate-test
  infrastructure: {{parametersRef: {{group: gateway.envoyproxy.io, kind: EnvoyProxy, name: proxy}}}}
  listeners: [{{name: http, protocol: HTTP, port: {LISTENER_PORT}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: digits}}
spec:
  parentRefs: [{{name: edge}}]
  hostnames: [{HOST_NAME}]
  rules:
    - matches: [{{path: {{type: PathPrefix, value: /v2}}}}]
      backendRefs: [{{name: digits, port: 8000}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {{name: digits}}
spec:
  parentRefs: [{{name: edge}}]
  hostnames: [{HOST_NAME}]
  rules:
    - matches: [{{method: {{service: inference.GRPCInferenceService}}}}]
      backendRefs: [{{name: digits, port: 8001}}]
"""


def create_all(api: Client, text: str) -> None:
    """Create the objects of a YAML text."""
    for manifest in codecs.load_all_yaml(text):
        create(api, manifest)


def create(api: Client, manifest: Any) -> None:
    api.create(manifest)


def create_job(api: Client, command: list[str]) -> None:
    """A Job named `job` that has the ConfigMap `request` and writes a termination message."""
    job = yaml.safe_load(JOB)
    container = job["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": RUNNER_IMAGE, "command": command}
    create(api, Job.from_dict(job))


def create_slot(
    api: Client, pool: str, image: str, *, replicas: int = 1, models: str | None = None
) -> None:
    """A Deployment and a Service named `digits` on a pool; `models` is an artifact's reference."""
    deployment, service = yaml.safe_load_all(SLOT)
    deployment["spec"]["replicas"] = replicas
    pod = deployment["spec"]["template"]["spec"]
    pod["nodeSelector"] = {"tidegate.dev/accelerator-pool": pool}
    pod["containers"][0]["image"] = image
    volume: dict[str, Any] = {"image": {"reference": models}} if models else {"emptyDir": {}}
    pod["volumes"] = [{"name": "models", **volume}]
    create_all(api, yaml.safe_dump_all([deployment, service]))


def wait_until_available(api: Client) -> None:
    def is_available() -> bool:
        found: Any = api.get(Deployment, "digits")
        return bool(found.status and found.status.availableReplicas == found.spec.replicas)

    wait_for("the deployment", is_available, 60)
