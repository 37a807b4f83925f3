"""Slots of a cluster as resources."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from tidegate.cluster.names import GRPC_PORT, HTTP_PORT, METRICS_PORT, target
from tidegate.kubernetes.images import with_located_images
from tidegate.kubernetes.network import Network
from tidegate.kubernetes.objects import KubernetesObject, Manifest
from tidegate.kubernetes.slot_objects import existing_service, slot_objects
from tidegate.kubernetes.workload import DEPLOYMENT, LEADER_WORKER_SET, LEFT_AS_THEY_ARE
from tidegate.resources import SlotReadiness, SlotRemoval
from tidegate.serving.platform import Slot
from tidegate.spec.accelerator_pool import AcceleratorPool, check_fits, find_pool
from tidegate.spec.errors import SpecError
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import (
    ExistingServing,
    KubernetesServing,
    Replicas,
    check_probe_budget,
    check_replicas,
)
from tidegate.spec.standby import check_standby

WorkloadKind = Literal["Deployment", "LeaderWorkerSet"]


@dataclass(frozen=True)
class SlotWorkload:
    """What makes a slot's pods. `is_scaled`: its replicas are ours to set."""

    kind: WorkloadKind
    name: str
    is_scaled: bool


@dataclass(frozen=True, kw_only=True)
class Slots:
    """Declares slots in one namespace. `depends_on` exists before the first of their objects.

    `registry` has the images that name none.
    """

    kubernetes_provider: pulumi.ProviderResource
    tidegate_provider: pulumi.ProviderResource
    network: Network
    pools: tuple[AcceleratorPool, ...]
    runner_image: str
    registry: pulumi.Input[str] | None
    priority_class: str
    image_pull_secrets: tuple[str, ...]
    scheduling_seconds: float
    depends_on: tuple[pulumi.Resource, ...]

    def declare(
        self,
        revision: Revision,
        parent: pulumi.Resource,
        replicas: Replicas,
        *,
        is_cold: bool,
        after: Sequence[pulumi.Resource],
    ) -> Slot:
        """Raises SpecError as `KubernetesPlatform.deploy` does."""
        check_standby("cold" if is_cold else "warm", False, [revision])
        if revision.existing is not None:
            return self._around(revision, revision.existing, parent, replicas)
        if revision.kubernetes is None:
            raise SpecError(
                "kubernetes",
                None,
                f"nothing says how a cluster serves {revision.id}",
                "kubernetes with pool, model and image",
            )
        return self._new(revision, revision.kubernetes, parent, replicas, is_cold, after)

    def _new(
        self,
        revision: Revision,
        serving: KubernetesServing,
        parent: pulumi.Resource,
        replicas: Replicas,
        is_cold: bool,
        after: Sequence[pulumi.Resource],
    ) -> Slot:
        pool = find_pool(self.pools, serving.pool)
        check_replicas(replicas)
        check_fits(serving, pool, replicas.count)
        check_probe_budget(serving, revision.probes.ready_timeout_seconds)
        found = slot_objects(
            revision,
            serving,
            pool,
            replicas,
            network=self.network,
            runner_image=self.runner_image,
            priority_class=self.priority_class,
            image_pull_secrets=self.image_pull_secrets,
            is_cold=is_cold,
        )
        removal = self._removal(revision, parent)
        # The first object that comes and the last that goes: a slot is found by it.
        service = self._object(found.service, parent, (*self.depends_on, removal))
        with_it = (*self.depends_on, service)
        before = [self._object(each, parent, with_it) for each in found.before]
        pods = with_located_images(found.workload, self.registry)
        workload = self._object(pods, parent, (*with_it, *before, *after))
        budget = self._object(found.disruption_budget, parent, with_it)
        kind: WorkloadKind = LEADER_WORKER_SET if serving.nodes > 1 else DEPLOYMENT
        readiness = self._readiness(
            revision,
            SlotWorkload(kind, revision.id, is_scaled=True),
            0 if is_cold else replicas.count,
            parent,
            [workload, service],
        )
        return self._slot(revision, (removal, *before, workload, service, budget, readiness))

    def _around(
        self,
        revision: Revision,
        existing: ExistingServing,
        parent: pulumi.Resource,
        replicas: Replicas,
    ) -> Slot:
        """A Service of ours is all that a Deployment of the user's gets."""
        manifest = existing_service(revision, existing, self.network.namespace)
        removal = self._removal(revision, parent)
        service = self._object(manifest, parent, (*self.depends_on, removal))
        readiness = self._readiness(
            revision,
            SlotWorkload(DEPLOYMENT, existing.deployment, is_scaled=False),
            replicas.count,
            parent,
            [service],
        )
        return self._slot(revision, (removal, service, readiness))

    def _slot(self, revision: Revision, resources: tuple[pulumi.Resource, ...]) -> Slot:
        http, grpc, metrics = (
            pulumi.Output.from_input(target(revision.id, self.network.namespace, port))
            for port in (HTTP_PORT, GRPC_PORT, METRICS_PORT)
        )
        return Slot(
            revision=revision,
            resources=resources,
            http_target=http,
            grpc_target=grpc,
            metrics_target=metrics,
        )

    def _removal(self, revision: Revision, parent: pulumi.Resource) -> SlotRemoval:
        return SlotRemoval(
            revision.id,
            service=revision.service,
            revision=revision.id,
            opts=pulumi.ResourceOptions(
                parent=parent, provider=self.tidegate_provider, depends_on=self.depends_on
            ),
        )

    def _object(
        self,
        manifest: Manifest,
        parent: pulumi.Resource,
        depends_on: tuple[pulumi.Resource, ...],
    ) -> KubernetesObject:
        return KubernetesObject(
            manifest["metadata"]["name"],
            manifest,
            pulumi.ResourceOptions(
                parent=parent,
                provider=self.kubernetes_provider,
                depends_on=depends_on,
                # A newer version of tidegate, or another pool's labels, start no other pods
                # under a revision that has passed its gate: what differs is another revision.
                ignore_changes=LEFT_AS_THEY_ARE.get(manifest["kind"]),
                # `SlotRemoval` removes them, at once and last.
                retain_on_delete=True,
            ),
        )

    def _readiness(
        self,
        revision: Revision,
        workload: SlotWorkload,
        replicas: int,
        parent: pulumi.Resource,
        depends_on: list[pulumi.Resource],
    ) -> SlotReadiness:
        return SlotReadiness(
            revision.id,
            service=revision.service,
            revision=revision.id,
            workload=workload.kind,
            workload_name=workload.name,
            is_scaled=workload.is_scaled,
            service_name=revision.id,
            replicas=replicas,
            timeout_seconds=revision.probes.ready_timeout_seconds + self.scheduling_seconds,
            accelerator_pool=revision.accelerator_pool,
            pools=[_summary(each) for each in self.pools],
            opts=pulumi.ResourceOptions(
                parent=parent, provider=self.tidegate_provider, depends_on=depends_on
            ),
        )


def _summary(pool: AcceleratorPool) -> dict[str, Any]:
    """What a message about pods that nowhere fit can say of a pool."""
    return {
        "name": pool.name,
        "nodeLabels": dict(pool.node_labels),
        "allocatable": {
            pool.gpu_resource: str(pool.gpus_per_node),
            **{name: str(count) for name, count in sorted(pool.extended_resources.items())},
        },
    }
