"""What a cluster on Google Cloud declares, without an engine and without a cloud."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.stack import run_pulumi_func

from tests.unit.spec.cluster_documents import NOW, Document
from tidegate.gcp.gpu_cluster import GpuCluster, GpuClusterArgs
from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.workload_identity import WorkloadIdentity

PROJECT_NUMBER = "987654321098"
CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
BUCKET = "gcp:storage/bucket:Bucket"


@dataclass(frozen=True)
class Declared:
    """A resource with its inputs in camelCase."""

    type: str
    name: str
    inputs: dict[str, Any]


@dataclass
class Declarations:
    """Everything that a program declared, in its order."""

    resources: list[Declared]

    def of(self, type_name: str) -> list[Declared]:
        return [each for each in self.resources if each.type == type_name]

    def only(self, type_name: str, name: str | None = None) -> dict[str, Any]:
        """Inputs of the one resource of the type, or of the one with this name."""
        (found,) = (each for each in self.of(type_name) if name in (None, each.name))
        return found.inputs

    def pool(self, name: str) -> dict[str, Any]:
        """Inputs of a node pool by its name in the plan."""
        (found,) = (each for each in self.of(NODE_POOL) if each.name.endswith(f"-{name}"))
        return found.inputs


class _Cloud(mocks.Mocks):
    def __init__(self) -> None:
        self.resources: list[Declared] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources.append(Declared(args.typ, args.name, dict(args.inputs)))
        made = {
            "name": args.name,
            "email": f"{args.name}@acme-gpu.iam.gserviceaccount.com",
            "member": f"serviceAccount:{args.name}",
            "endpoint": "203.0.113.10",
            "address": "10.64.0.0",
            "mountPoint": "10.64.0.2@tcp:/lustre",
            "accessPoints": ["10.64.0.2", "10.64.0.3"],
            **args.inputs,
        }
        if args.typ == CLUSTER:
            made["masterAuth"] = {**args.inputs["masterAuth"], "clusterCaCertificate": "Y2E="}
        if args.typ == "gcp:filestore/instance:Instance":
            made["networks"] = [{**args.inputs["networks"][0], "ipAddresses": ["10.64.1.2"]}]
        return f"{args.name}-id", made

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        account = f"service-{PROJECT_NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
        answers = {
            "gcp:organizations/getProject:getProject": {"number": PROJECT_NUMBER},
            "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": {
                "emailAddress": account,
                "member": f"serviceAccount:{account}",
            },
        }
        return {**args.args, **answers[args.token]}, []


def run(program: Callable[[], object]) -> Declarations:
    """Run a program on an event loop and mocks of its own."""
    cloud = _Cloud()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    def program_without_result() -> None:
        program()

    try:
        pulumi.runtime.settings.reset_options()
        mocks.set_mocks(cloud, preview=False)
        loop.run_until_complete(run_pulumi_func(program_without_result))
    finally:
        pulumi.runtime.settings.reset_options()
        asyncio.set_event_loop(None)
        loop.close()
    return Declarations(cloud.resources)


def declare(document: Document, *workloads: WorkloadIdentity) -> Declarations:
    """What the cluster of a plan declares."""
    args = GpuClusterArgs(plan=parse_cluster(document), workloads=workloads, now=NOW)
    return run(lambda: GpuCluster("prod", args))
