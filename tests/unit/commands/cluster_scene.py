"""A project whose stack `test` is on a cluster: its API server is in memory, and so are Jobs."""

import asyncio
import json
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from typer.testing import CliRunner, Result

from tests.unit.cluster.api_server import KUBECONFIG, NAMESPACE, ApiServer, status
from tests.unit.provider.kubernetes.runners import GATEWAY, Runners, note
from tidegate.cli import app
from tidegate.cluster import names
from tidegate.cluster.kinds import DEPLOYMENT, ENDPOINT_SLICE, HTTP_ROUTE, POD
from tidegate.cluster.kinds import GATEWAY as GATEWAY_KIND
from tidegate.cluster.pod_proxy import PodProxy
from tidegate.commands.kubernetes import platform
from tidegate.gate.verdict import Outcome
from tidegate.records.gates import GateRecords
from tidegate.records.switches import SwitchRecords
from tidegate.spec.traffic import SwitchStrategy
from tidegate.traffic.plan import Stage
from tidegate.traffic.routes import ServiceRoutes
from tidegate.traffic.switch_documents import Ending, SwitchOutcome
from tidegate.traffic.switch_history import SwitchPlan

REPOSITORY = Path(__file__).parents[3]
ONE, TWO = "digits-1-aaaaaaaa", "digits-2-bbbbbbbb"
TWO_CHANGED = "digits-2-cccccccc"
ENVOY = "envoy-1"
OWNER = "gateway.envoyproxy.io/owning-gateway"


def routes(**weights: int) -> ServiceRoutes:
    """`one=100, two=0` are the revisions of digits@1 and digits@2; `changed` is another of it."""
    revisions = {"one": ONE, "two": TWO, "changed": TWO_CHANGED}
    named = {revisions[name]: weight for name, weight in weights.items()}
    return ServiceRoutes("digits", ("digits",), named, 30.0, hostnames=("digits.test",))


@dataclass
class ClusterScene:
    """digits@2 is live and digits@1 stands by; both have passed their gates.

    `completed` is what the Envoy has counted for each revision; with `is_forbidden` the API server
    does not pass requests on to pods.
    """

    root: Path
    api: ApiServer
    runners: Runners
    completed: dict[str, int] = field(default_factory=lambda: {ONE: 0, TWO: 0})
    is_forbidden: bool = False
    asked_envoy: int = 0

    @property
    def stack_file(self) -> Path:
        return self.root / "stacks" / "Pulumi.test.yaml"

    @property
    def declared(self) -> tuple[str, str | None]:
        services = yaml.safe_load(self.stack_file.read_text())["config"]["tidegate:services"]
        return services["digits"]["release"], services["digits"].get("standby")

    def declare(self, release: str, standby: str | None, **cluster: Any) -> None:
        digits = {"release": release, **({} if standby is None else {"standby": standby})}
        settings = {
            "kubeconfig": "kubeconfig.json",
            "namespace": NAMESPACE,
            "runnerImage": "registry.test/tidegate/runner:1",
            "evidence": "s3://evidence/team-a",
            "gateway": {"httpPort": 80},
            **cluster,
        }
        config = {
            "tidegate:platform": {"kubernetes": settings},
            "tidegate:services": {"digits": digits},
        }
        self.stack_file.write_text(yaml.safe_dump({"config": config}))

    def weights(self) -> dict[str, int]:
        annotations = self.api.get(HTTP_ROUTE.plural, "digits")["metadata"]["annotations"]
        return dict(json.loads(annotations[names.ROUTES_ANNOTATION])["routes"]["weights"])

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--stack", "test"])

    def on_records(self, work: Callable[[SwitchRecords], Coroutine[Any, Any, Any]]) -> Any:
        """Result of what `work` does with the records of switches."""
        return asyncio.run(work(SwitchRecords(self.api.cluster())))

    def submit(self, before: ServiceRoutes, after: ServiceRoutes, to: str) -> str:
        """Record a switch of the engine, without a Job; the name of its run."""
        run = self.on_records(
            lambda records: records.submit("digits", plan(before, after, to), GATEWAY, "ada")
        )
        return str(run.name)

    def end(self, run: str, ending: Ending, was_shown: bool = False) -> None:
        async def ended(records: SwitchRecords) -> None:
            found = await records.run(run)
            assert found is not None
            outcome = SwitchOutcome.untouched(found.request, ending, f"ended with {ending}")
            await records.end(run, outcome.model_copy(update={"was_shown": was_shown}))

        self.on_records(ended)

    def serve(self, revision: str, ready: int, replicas: int = 1) -> None:
        """The revision's Deployment and so many ready pods behind its Service."""
        labels = names.labels("digits", revision)
        meta = {"name": revision, "labels": labels}
        self.api.put(DEPLOYMENT.plural, {"metadata": meta, "spec": {"replicas": replicas}})
        endpoints = [
            {"addresses": [f"10.0.0.{n}"], "targetRef": {"uid": f"{revision}-{n}"}}
            for n in range(ready)
        ]
        labels = {"kubernetes.io/service-name": revision}
        meta = {"name": f"{revision}-x", "labels": labels}
        self.api.put(ENDPOINT_SLICE.plural, {"metadata": meta, "endpoints": endpoints})

    def envoy(self, request: httpx2.Request) -> httpx2.Response:
        """What the API server passes on of the Envoy's answer."""
        self.asked_envoy += 1
        if self.is_forbidden:
            said = 'pods "envoy-1" is forbidden: User "ann" cannot get resource "pods/proxy"'
            return httpx2.Response(403, text=status(403, "Forbidden", said))
        assert f"/pods/{ENVOY}:19001/proxy/stats/prometheus" in request.url.path
        name = "envoy_cluster_upstream_rq_completed"
        lines = [
            f'{name}{{envoy_cluster_name="service/{NAMESPACE}/{each}/8000/http"}} {count}'
            for each, count in self.completed.items()
        ]
        self.completed[TWO] += 40
        return httpx2.Response(200, text="\n".join(lines))


def plan(before: ServiceRoutes, after: ServiceRoutes, to: str) -> SwitchPlan:
    return SwitchPlan(
        routes_before=before,
        stages=(Stage("final", after, 0.0, 0.0),),
        strategy=SwitchStrategy(bake_seconds=60),
        from_revision=ONE if to == TWO else TWO,
        to_revision=to,
        drain_seconds=7.0,
        retry_reason=None,
    )


def make_scene(root: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterScene:
    """Write the project, and put into the API server what two promotions left."""
    (root / "stacks").mkdir(parents=True)
    (root / "Pulumi.yaml").touch()
    (root / "kubeconfig.json").write_text(KUBECONFIG)
    (root / "serving" / "releases").mkdir(parents=True)
    source = REPOSITORY / "serving" / "releases" / "digits"
    shutil.copytree(source, root / "serving" / "releases" / "digits")
    monkeypatch.chdir(root)
    api = ApiServer()
    scene = ClusterScene(root, api, Runners(api))
    monkeypatch.setattr(platform, "Cluster", lambda _config, namespace: api.cluster(namespace))
    proxy = httpx2.MockTransport(lambda request: scene.envoy(request))
    monkeypatch.setattr(platform, "PodProxy", lambda config: PodProxy(config, proxy))
    scene.declare("digits@2", "digits@1")
    for revision in (ONE, TWO):
        scene.serve(revision, ready=1)
        asyncio.run(pass_gate(api, revision))
    scene.runners.route(routes(one=0, two=100))
    scene.end(scene.submit(routes(one=100), routes(one=0, two=100), TWO), Ending.ADVANCED)
    programmed = {"type": "Programmed", "status": "True"}
    gateway = {
        "metadata": {"name": GATEWAY.name},
        "spec": {"listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        "status": {"addresses": [{"value": "192.0.2.7"}], "conditions": [programmed]},
    }
    api.put(GATEWAY_KIND.plural, gateway, GATEWAY.namespace)
    ready = {"type": "Ready", "status": "True"}
    labels = {f"{OWNER}-name": GATEWAY.name, f"{OWNER}-namespace": GATEWAY.namespace}
    pod = {
        "metadata": {"name": ENVOY, "labels": labels},
        "status": {"podIP": "10.0.9.1", "conditions": [ready]},
    }
    api.put(POD.plural, pod, GATEWAY.proxy_namespace)
    return scene


async def pass_gate(api: ApiServer, revision: str, outcome: Outcome = Outcome.PASS) -> None:
    gates = GateRecords(api.cluster())
    await gates.ensure("digits", revision)
    await gates.keep_verdict(revision, note(outcome, f"sha256:{'0' * 64}"))
