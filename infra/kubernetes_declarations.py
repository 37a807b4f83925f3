"""From settings to how a cluster serves a release, and what cannot work about it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from kubernetes_settings import KubernetesSettings, ServiceOnKubernetes
from tidegate.spec.accelerator_pool import check_fits, find_pool
from tidegate.spec.errors import SpecError
from tidegate.spec.refusals import shape_error
from tidegate.spec.release import Release
from tidegate.spec.serving_on_kubernetes import (
    ExistingServing,
    KubernetesServing,
    check_replicas,
    server_image,
)

Serving = KubernetesServing | ExistingServing


def serving_of(
    cluster: KubernetesSettings, service: ServiceOnKubernetes, release: Release
) -> Serving:
    """How the cluster serves the release. Raises SpecError with a key of `kubernetes`."""
    if service.existing is not None:
        return _existing(service.existing, release)
    if service.pool is None or service.model is None:  # the settings make sure of it
        raise SpecError("pool", None, "the key is missing", "pool and model")
    check_replicas(service.replica_counts())
    content = service.model_dump(
        include=set(KubernetesServing.model_fields) - {"model", "image"}, by_alias=False
    )
    try:
        serving = KubernetesServing.model_validate(
            {
                **content,
                "image": server_image(release, service.image or cluster.image),
                "model": service.model.source(release),
            }
        )
    except ValidationError as error:
        cause = error.errors()[0].get("ctx", {}).get("error")
        if isinstance(cause, SpecError):
            raise cause from error
        raise shape_error(error, "kubernetes", content, KubernetesServing) from error
    pool = find_pool(cluster.accelerator_pools(), serving.pool)
    serving = serving.model_copy(update={"gpu_resource": pool.gpu_resource})
    check_fits(serving, pool, service.replicas)
    return serving


def check_kubeconfig(cluster: KubernetesSettings, root: Path) -> None:
    """Raise SpecError when the file that is named is not there."""
    path = kubeconfig_path(cluster, root)
    if path is not None and not path.is_file():
        raise SpecError(
            "kubeconfig",
            cluster.kubeconfig,
            "there is no such file",
            "an existing file's path, or no kubeconfig for the one that kubectl uses",
        )


def kubeconfig_path(cluster: KubernetesSettings, root: Path) -> Path | None:
    """Absolute; a relative one is below the project."""
    if cluster.kubeconfig is None:
        return None
    return root / Path(cluster.kubeconfig).expanduser()


def hostname_findings(
    services: Mapping[str, ServiceOnKubernetes],
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Key and sentence for each service whose requests another one would get as well."""
    owners: dict[str, str] = {}
    for name, service in services.items():
        key = (name, "kubernetes", "hostnames")
        if not service.hostnames and len(services) > 1:
            yield (
                key,
                "[] cannot work: the stack has several services, and a gRPC call names no model "
                "in its path, so it would reach any of them. Instead: write a host name of the "
                "service's own.",
            )
        for hostname in service.hostnames:
            owner = owners.setdefault(hostname, name)
            if owner != name:
                yield (
                    key,
                    f"'{hostname}' cannot work: it is also a host name of '{owner}', and the "
                    "older route would take its requests. Instead: write one that no other "
                    "service has.",
                )


def _existing(existing: Mapping[str, ExistingServing], release: Release) -> ExistingServing:
    name = f"{release.service}@{release.release}"
    if name not in existing:
        raise SpecError(
            "existing",
            name,
            "no Deployment is named for this release",
            f"'{name}': {{deployment: <name>, podLabels: {{…}}}}",
        )
    return existing[name]
