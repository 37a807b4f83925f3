"""Where the pods of gates and switches run, and as whom."""

from pydantic import Field

from tidegate.spec.accelerator_pool import Toleration
from tidegate.spec.signature import SpecModel


class RunnerPods(SpecModel):
    """Pods of the runner's Jobs; they need no GPU.

    `node_labels`: of nodes that they may run on, such as kubernetes.io/arch where the image is
    for one architecture. `service_account_annotations` name a cloud's identity, such as
    eks.amazonaws.com/role-arn, for what writes the evidence.
    """

    node_labels: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    service_account_annotations: dict[str, str] = Field(default_factory=dict)
