"""The Gateway that users' requests come through: one of the platform's own, or the user's."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tidegate.spec.kubernetes_names import DnsLabel, DnsName
from tidegate.spec.signature import SpecModel

ENVOY_GATEWAY_NAMESPACE = "envoy-gateway-system"
"""Where Envoy Gateway runs its Envoys unless it is told otherwise."""

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_SECRET = re.compile(rf"({_LABEL}/)?{_LABEL}(\.{_LABEL})*")


def _secret(text: str) -> str:
    if not _SECRET.fullmatch(text):
        raise ValueError("write the name of a Secret, or namespace/name for one elsewhere")
    return text


SecretPlace = Annotated[str, AfterValidator(_secret)]
"""A Secret beside the object that names it ("tls"), or in another namespace ("security/tls")."""


class Https(SpecModel):
    """TLS ends at the gateway; `certificates` are Secrets of type kubernetes.io/tls.

    A Secret of another namespace needs a ReferenceGrant there.
    """

    port: int = Field(default=443, ge=1, le=65535)
    certificates: tuple[SecretPlace, ...] = Field(min_length=1)


class NewGateway(SpecModel):
    """A Gateway of Envoy Gateway, made in the platform's namespace.

    `gateway_class`: an existing GatewayClass; without, one is made. `replicas` counts Envoys.
    `ip_family`: what they listen on and connect to; without, Envoy Gateway's own choice, IPv4.
    """

    name: DnsLabel = "tidegate"
    gateway_class: DnsName | None = None
    http_port: int | None = Field(default=80, ge=1, le=65535)
    https: Https | None = None
    service_type: Literal["LoadBalancer", "ClusterIP", "NodePort"] = "LoadBalancer"
    replicas: int = Field(default=2, ge=1)
    proxy_namespace: DnsLabel = ENVOY_GATEWAY_NAMESPACE
    ip_family: Literal["IPv4", "IPv6", "DualStack"] | None = None

    @model_validator(mode="after")
    def _listens(self) -> Self:
        if self.http_port is None and self.https is None:
            raise ValueError("write httpPort, https or both")
        if self.https is not None and self.https.port == self.http_port:
            raise ValueError("write two different ports")
        return self


class GatewayReference(SpecModel):
    """A Gateway and, where it has several, the listeners for HTTP and for gRPC.

    `proxy_namespace` is where its Envoys run.
    """

    namespace: DnsLabel
    name: DnsName
    http_section: DnsName | None = None
    grpc_section: DnsName | None = None
    proxy_namespace: DnsLabel = ENVOY_GATEWAY_NAMESPACE
