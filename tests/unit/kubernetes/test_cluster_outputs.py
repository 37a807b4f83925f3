"""What a cluster's stack puts out is what another stack's platform takes."""

import json
from typing import Any

import pytest

from tests.unit.components.examples import L4
from tidegate.kubernetes.cluster_outputs import EXPORTED, ClusterOutputs
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit

STACK = "organization/tidegate/gpu-prod"
MADE = ClusterOutputs(
    cluster_name="gpu-prod",
    kubeconfig="clusters: []",
    pools=(L4,),
    storage_classes={"cold": "tidegate-cold"},
    release_bucket_url="gs://releases",
    registry_url="registry.test/gpu-prod",
)


def test_it_comes_back_from_a_stacks_outputs_as_it_was() -> None:
    stored = json.loads(json.dumps(MADE.exported()))

    assert set(stored) == set(EXPORTED)
    assert ClusterOutputs.of_stack(STACK, stored) == MADE


@pytest.mark.parametrize("missing", [{}, dict.fromkeys(EXPORTED)])
def test_a_stack_of_another_program_may_have_the_kubeconfig_alone(missing: dict[str, Any]) -> None:
    found = ClusterOutputs.of_stack(STACK, {**missing, "kubeconfig": "clusters: []"})

    assert found == ClusterOutputs(kubeconfig="clusters: []")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kubeconfig": None}, "clusterStack: 'organization/tidegate/gpu-prod' cannot work: the"),
        ({"kubeconfig": {"clusters": []}}, f"outputs of {STACK}: kubeconfig: {{'clusters': []}}"),
        ({"pools": [{"name": "l4"}]}, f"outputs of {STACK}: pools.l4.nodeLabels: None cannot work"),
        ({"releaseBucketUrl": 7}, f"outputs of {STACK}: releaseBucketUrl: 7 cannot work"),
    ],
)
def test_outputs_that_no_platform_can_take_are_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as raised:
        ClusterOutputs.of_stack(STACK, {**MADE.exported(), **changes})

    assert said in str(raised.value)
