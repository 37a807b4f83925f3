"""Names of Services for the pods' processes: it plays kube-dns and kube-proxy.

Every pod has a hosts file, rewritten in place when EndpointSlices change. A Service's names stand
for the addresses of its ready endpoints, as those of a headless Service do; ports are not mapped,
so a Service's ports must be its targets' ports. A Service without ready endpoints has no name. A
pod with a host name of its own below a Service has that name too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tests.cluster.harness.kubelet.manifest import Manifest, name_of, namespace_of

SERVICE_LABEL = "kubernetes.io/service-name"
DOMAIN = "svc.cluster.local"
LOOPBACK = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"

Addresses = Mapping[tuple[str, str], list[str]]
"""Ready addresses by namespace and Service."""


class ServiceNames:
    """What EndpointSlices say; a slice replaces what an earlier one of its name said."""

    def __init__(self) -> None:
        self._slices: dict[tuple[str, str], Manifest] = {}

    def put(self, endpoint_slice: Manifest) -> None:
        self._slices[_key(endpoint_slice)] = endpoint_slice

    def remove(self, endpoint_slice: Manifest) -> None:
        self._slices.pop(_key(endpoint_slice), None)

    def keep_only(self, slices: Iterable[Manifest]) -> None:
        """Replace everything, after a watch was interrupted."""
        self._slices = {_key(each): each for each in slices}

    def addresses(self) -> Addresses:
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for each in self._slices.values():
            service = each["metadata"].get("labels", {}).get(SERVICE_LABEL)
            for endpoint in each.get("endpoints") or []:
                if service and endpoint.get("conditions", {}).get("ready", True):
                    found[namespace_of(each), service] += endpoint["addresses"]
                    if host := endpoint.get("hostname"):
                        found[namespace_of(each), f"{host}.{service}"] += endpoint["addresses"]
        return {key: sorted(set(each)) for key, each in sorted(found.items())}


def hosts_file(addresses: Addresses, namespace: str, own_address: str, own_name: str) -> str:
    """The hosts file of a pod in a namespace."""
    lines = [LOOPBACK, f"{own_address} {own_name}\n"]
    for (service_namespace, service), found in addresses.items():
        full = f"{service}.{service_namespace}"
        # Envoy Gateway names itself with the dot that ends an absolute name.
        names = [f"{full}.{DOMAIN}", f"{full}.{DOMAIN}.", f"{full}.svc", full]
        if service_namespace == namespace:
            names.append(service)
        lines += [f"{address} {' '.join(names)}\n" for address in found]
    return "".join(lines)


def _key(endpoint_slice: Manifest) -> tuple[str, str]:
    return namespace_of(endpoint_slice), name_of(endpoint_slice)
