"""The cluster that the provider is configured for."""

from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.cluster.client import Cluster, connect
from tidegate.cluster.errors import ClusterError
from tidegate.provider.configuration import KubernetesConfiguration
from tidegate.provider.errors import ProviderError
from tidegate.provider.kubernetes.namespace_events import NamespaceEvents
from tidegate.traffic.gateway_api.recorded import RecordedRoutes


class ClusterAccess:
    """Connects when it is first asked: a provider must describe itself without any cluster."""

    def __init__(self, configuration: KubernetesConfiguration) -> None:
        self.configuration = configuration
        self._cluster: Cluster | None = None
        self._events: NamespaceEvents | None = None

    def cluster(self) -> Cluster:
        """Raises SpecError when the kubeconfig names none."""
        if self._cluster is None:
            settings = self.configuration
            self._cluster = connect(settings.kubeconfig, settings.context, settings.namespace)
        return self._cluster

    def events(self) -> NamespaceEvents:
        """Raises SpecError as `cluster` does."""
        if self._events is None:
            self._events = NamespaceEvents(self.cluster())
        return self._events

    def routes(self) -> RecordedRoutes:
        """Raises SpecError as `cluster` does."""
        return RecordedRoutes(self.cluster(), self.configuration.gateway)


@contextmanager
def as_provider_error(about: str | None = None) -> Iterator[None]:
    """What the cluster refuses, as the engine is told of it: "`about`: what the cluster said"."""
    try:
        yield
    except ClusterError as error:
        raise ProviderError(f"{about}: {error}" if about else str(error)) from error
