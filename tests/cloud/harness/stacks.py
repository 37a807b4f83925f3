"""Changes of a stack's cluster, as users make them."""

from typing import Any

from tests.cloud.harness.project import CloudProject

CLUSTER = "tidegate:cluster"


def change_plan(project: CloudProject, **changes: Any) -> None:
    """Replace keys of the cluster's plan."""
    config = project.declared()["config"]
    project.declare({**config, CLUSTER: {**config[CLUSTER], **changes}})


def change_pool(project: CloudProject, name: str, **changes: Any) -> None:
    """Replace keys of one of the plan's pools."""
    pools = project.declared()["config"][CLUSTER]["pools"]
    changed = [{**each, **changes} if each["name"] == name else each for each in pools]
    assert changed != pools, f"there is no pool {name}"
    change_plan(project, pools=changed)
