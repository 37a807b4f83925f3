"""Keys of Cloud KMS: one for each kind of data, so that each is granted and revoked alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import kms, projects

from tidegate.gcp.naming import name_for
from tidegate.gcp.project import Project
from tidegate.gcp.protection import guarded

ROTATION_PERIOD = "7776000s"
"""90 days (CIS Google Cloud Foundation Benchmark 1.10)."""

DESTROY_AFTER = "2592000s"
"""30 days in which a key version that somebody destroyed can be restored."""

ENCRYPT = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


@dataclass(frozen=True, kw_only=True)
class KeysArgs:
    """Arguments of `Keys`. `services` have their own account made and may use the key of files."""

    project: Project
    region: str
    labels: Mapping[str, str]
    protect: bool
    services: Sequence[str] = ("artifactregistry.googleapis.com",)


class Keys(pulumi.ComponentResource):
    """Keys for a cluster's database, its disks, its buckets and its files.

    Each attribute is the key's resource name, known once the account that uses it may do so.
    """

    database: pulumi.Output[str]
    disks: pulumi.Output[str]
    buckets: pulumi.Output[str]
    files: pulumi.Output[str]

    def __init__(
        self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:Keys", name, None, opts)
        self._name, self._args = name, args
        self._ring = kms.KeyRing(
            name_for(name),
            project=args.project.id,
            location=args.region,
            opts=guarded(self, args.protect),
        )
        self.database = self._key("database", [args.project.kubernetes_engine])
        self.disks = self._key("disks", [args.project.compute_engine])
        self.buckets = self._key("buckets", [args.project.cloud_storage])
        self.files = self._key("files", [self._service_account(each) for each in args.services])
        self.register_outputs(
            {
                "database": self.database,
                "disks": self.disks,
                "buckets": self.buckets,
                "files": self.files,
            }
        )

    def _key(self, purpose: str, users: Sequence[pulumi.Input[str]]) -> pulumi.Output[str]:
        """The key's id, after its users may use it."""
        args = self._args
        key = kms.CryptoKey(
            name_for(self._name, purpose),
            key_ring=self._ring.id,
            purpose="ENCRYPT_DECRYPT",
            rotation_period=ROTATION_PERIOD,
            destroy_scheduled_duration=DESTROY_AFTER,
            labels=dict(args.labels),
            opts=guarded(self, args.protect),
        )
        grants = [
            kms.CryptoKeyIAMMember(
                f"{self._name}-{purpose}-{index}" if index else f"{self._name}-{purpose}",
                crypto_key_id=key.id,
                role=ENCRYPT,
                member=user,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for index, user in enumerate(users)
        ]
        # The grants' own output of the key's id: whoever uses it waits for all of them.
        return pulumi.Output.all(*(grant.crypto_key_id for grant in grants)).apply(
            lambda ids: str(ids[0])
        )

    def _service_account(self, service: str) -> pulumi.Output[str]:
        """Made now: otherwise a service's account appears with its first use, which needs it."""
        identity = projects.ServiceIdentity(
            f"{self._name}-{service.split('.')[0]}",
            project=self._args.project.id,
            service=service,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return identity.member
