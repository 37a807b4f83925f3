"""A bucket of Cloud Storage for the state of stacks: `StateBucket`."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import kms

from tidegate.gcp.bucket import Bucket, BucketArgs
from tidegate.gcp.keys import DESTROY_AFTER, ENCRYPT, ROTATION_PERIOD
from tidegate.gcp.naming import name_for
from tidegate.gcp.project import Project, project_of
from tidegate.gcp.protection import guarded
from tidegate.spec.state_plan import StatePlan, check_state


@dataclass(frozen=True, kw_only=True)
class StateBucketArgs:
    """Arguments of a `StateBucket`. `project_number` is asked of the cloud when it is not given.

    Raises SpecError for another cloud's plan.
    """

    plan: StatePlan
    project_number: pulumi.Input[str] | None = None

    def __post_init__(self) -> None:
        check_state(self.plan, "gcp")


class StateBucket(pulumi.ComponentResource):
    """As the bucket of releases, with a key that the secrets in the state are encrypted with too.

    `backend_url` is Pulumi's, `key_url` what it calls a secrets provider.
    """

    backend_url: pulumi.Output[str]
    key_url: pulumi.Output[str]

    def __init__(
        self, name: str, args: StateBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:StateBucket", name, None, opts)
        plan = args.plan
        project = project_of(plan.project, args.project_number, pulumi.InvokeOptions(parent=self))
        key = self._key(name, plan, project)
        user = kms.CryptoKeyIAMMember(
            name,
            crypto_key_id=key.id,
            role=ENCRYPT,
            member=project.cloud_storage,
            opts=pulumi.ResourceOptions(parent=self),
        )
        bucket = Bucket(
            name,
            BucketArgs(
                project=project,
                region=plan.region,
                bucket=plan.bucket,
                labels=plan.labels,
                key=user.crypto_key_id,  # Cloud Storage may use it by then
                protect=plan.protect,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.backend_url = bucket.url
        self.key_url = pulumi.Output.concat("gcpkms://", key.id)
        self.register_outputs({"backendUrl": self.backend_url, "keyUrl": self.key_url})

    def _key(self, name: str, plan: StatePlan, project: Project) -> kms.CryptoKey:
        ring = kms.KeyRing(
            name_for(plan.name, name),
            project=project.id,
            location=plan.region,
            opts=guarded(self, plan.protect),
        )
        return kms.CryptoKey(
            name_for(plan.name, name),
            key_ring=ring.id,
            purpose="ENCRYPT_DECRYPT",
            rotation_period=ROTATION_PERIOD,
            destroy_scheduled_duration=DESTROY_AFTER,
            labels=plan.labels,
            opts=guarded(self, plan.protect),
        )
