"""The two programs that declare a cluster: with our component, and by hand with the cloud's SDK."""

from tests.benchmarks.cloud_preview_plans import CloudExample

OWN = """
from pathlib import Path

import pulumi
import pulumi_{cloud}

from tidegate.{cloud}.gpu_cluster import GpuCluster, GpuClusterArgs
from tidegate.spec.cluster_plan import load_cluster

plan = load_cluster(Path("cluster.yaml"))
provider = pulumi_{cloud}.Provider("cloud", **{provider})
GpuCluster(plan.name, GpuClusterArgs(plan=plan), pulumi.ResourceOptions(providers=[provider]))
"""
BY_HAND = """
import importlib
import json
import re
from pathlib import Path

import pulumi
import pulumi_{cloud}
import pulumi_kubernetes

made, providers = [], {{"{cloud}": pulumi_{cloud}.Provider("cloud", **{provider})}}


def python_name(name):
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def step(value, name):
    return value[name] if isinstance(name, int) else getattr(value, python_name(name))


def output(number, first, *rest):
    found = getattr(made[number], python_name(first))
    for name in rest:
        found = found.apply(lambda value, name=name: step(value, name))
    return found


def value(content):
    if isinstance(content, list):
        return [value(each) for each in content]
    if not isinstance(content, dict):
        return content
    if "$output" in content:
        return output(*content["$output"])
    if "$concat" in content:
        return pulumi.Output.concat(*map(value, content["$concat"]))
    return {{name: value(each) for name, each in content.items()}}


for each in json.loads(Path("resources.json").read_text()):
    resource = getattr(importlib.import_module(each["module"]), each["class"])(
        each["name"],
        **{{python_name(name): value(content) for name, content in each["inputs"].items()}},
        opts=pulumi.ResourceOptions(
            provider=providers.get(each["package"]),
            depends_on=[made[number] for number in each["needs"]],
            protect=each["protect"],
            retain_on_delete=each["protect"],
            ignore_changes=each["ignoreChanges"],
        ),
    )
    if each["class"] == "Provider":
        providers["kubernetes"] = resource
    made.append(resource)
"""


def own_program(example: CloudExample) -> str:
    """As `examples/` has it: reads `cluster.yaml` and declares the cluster."""
    return OWN.format(cloud=example.cloud, provider=dict(example.provider)).lstrip()


def program_by_hand(example: CloudExample) -> str:
    """Reads `resources.json` and declares what is there, one after the other."""
    return BY_HAND.format(cloud=example.cloud, provider=dict(example.provider)).lstrip()
