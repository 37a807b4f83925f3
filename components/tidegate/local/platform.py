"""The embedded platform as a Pulumi component."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from tidegate.gate.evidence_store import check_address
from tidegate.local import PLATFORM
from tidegate.resources import Gateway, TidegateProvider, TritonServer
from tidegate.serving.platform import Slot
from tidegate.spec.errors import SpecError
from tidegate.spec.revision import Revision
from tidegate.spec.serving_on_kubernetes import Replicas
from tidegate.spec.standby import check_standby


@dataclass(frozen=True, kw_only=True)
class LocalPlatformArgs:
    """Arguments of a `LocalPlatform`.

    `state_folder`: absolute path where servers and gates of this stack are kept.
    `evidence`: where verdicts and attempts are kept, an absolute folder, `s3://bucket/prefix` or
    `gs://bucket/prefix`; without, the state folder.
    `revisions` and `services`: everything the stack declares; servers that nobody declares and no
    route mentions are stopped. Ports that are not given are chosen and kept.

    Raises SpecError when a folder is not absolute, when no evidence can be kept at the address
    or when both ports are the same.
    """

    state_folder: Path
    environment: str
    stack_file: str
    revisions: Sequence[str]
    services: Sequence[str]
    evidence: str | None = None
    port: int | None = None
    admin_port: int | None = None

    def __post_init__(self) -> None:
        if not self.state_folder.is_absolute():
            raise SpecError(
                "state_folder",
                str(self.state_folder),
                "servers outlive the program and have no use for its working directory",
                "an absolute path",
            )
        if self.evidence is not None and "://" not in check_address(self.evidence):
            _check_is_absolute(self.evidence)
        if self.port is not None and self.port == self.admin_port:
            raise SpecError(
                "admin_port",
                self.admin_port,
                "the gateway's port is the same",
                "two different ports",
            )


def _check_is_absolute(folder: str) -> None:
    if not Path(folder).is_absolute():
        raise SpecError(
            "evidence",
            folder,
            "gates outlive the program and have no use for its working directory",
            "an absolute path, s3://bucket/prefix or gs://bucket/prefix",
        )


class LocalPlatform(pulumi.ComponentResource):
    """Real Triton and real Envoy on this machine, for newcomers and for tests."""

    address: pulumi.Output[str]
    admin_address: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: LocalPlatformArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("tidegate:local:LocalPlatform", name, None, opts)
        self._tidegate_provider = TidegateProvider(
            name,
            state_folder=args.state_folder,
            environment=args.environment,
            stack_file=args.stack_file,
            evidence=args.evidence,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._gateway = Gateway(
            name,
            revisions=args.revisions,
            services=args.services,
            port=args.port,
            admin_port=args.admin_port,
            opts=pulumi.ResourceOptions(parent=self, provider=self._tidegate_provider),
        )
        self.address = self._gateway.address
        self.admin_address = self._gateway.admin_address
        self.register_outputs({"address": self.address, "adminAddress": self.admin_address})

    @property
    def name(self) -> str:
        return PLATFORM

    @property
    def provider(self) -> pulumi.ProviderResource:
        return self._tidegate_provider

    @property
    def ready(self) -> Sequence[pulumi.Resource]:
        return ()

    def deploy(
        self,
        revision: Revision,
        serving_root: Path,
        parent: pulumi.Resource,
        replicas: Replicas | None = None,
        *,
        is_cold: bool = False,
        after: Sequence[pulumi.Resource] = (),
    ) -> Slot:
        """Declare one Triton for the revision. Raises SpecError for more than one, and for none."""
        check_standby("cold" if is_cold else "warm", False, [revision])
        if replicas is not None and replicas.count != 1:
            raise SpecError(
                "replicas", replicas.count, "one machine runs one server for a revision", "1"
            )
        server = TritonServer(
            revision.id,
            revision=revision.id,
            service=revision.service,
            release=revision.release.release,
            serving_root=serving_root,
            release_digest=revision.release.digest,
            ready_timeout_seconds=revision.probes.ready_timeout_seconds,
            health_interval_seconds=revision.probes.health_interval_seconds,
            opts=pulumi.ResourceOptions(
                parent=parent, provider=self._tidegate_provider, depends_on=[self._gateway, *after]
            ),
        )
        return Slot(
            revision=revision,
            resources=(server,),
            http_target=server.http_target,
            grpc_target=server.grpc_target,
            metrics_target=server.metrics_target,
        )
