"""What a cluster's own services are reached by, where its network keeps pods from all else."""

from typing import Annotated

from pydantic import Field

from tidegate.spec.kubernetes_names import DnsLabel
from tidegate.spec.signature import SpecModel

Port = Annotated[int, Field(ge=1, le=65535)]


class ClusterNetwork(SpecModel):
    """Where pods reach the API server and DNS, for the network policies.

    A policy holds for what a Service leads to: ports are those that the servers themselves listen
    on, which are others than 443 and 53 on some clusters (MicroK8s, OpenShift).
    """

    api_server_ports: tuple[Port, ...] = Field(default=(443, 6443), min_length=1)
    dns_namespace: DnsLabel = "kube-system"
    dns_ports: tuple[Port, ...] = Field(default=(53,), min_length=1)
