"""The cold tier: a bucket of Cloud Storage that keeps what is put into it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import orgpolicy, storage

from tidegate.gcp.naming import name_for
from tidegate.gcp.project import Project
from tidegate.gcp.protection import guarded
from tidegate.spec.storage_tiers import ObjectBucket

SECONDS_IN_DAY = 86400
SOFT_DELETE_DAYS = 7
OLD_VERSION_DAYS = 90
UNFINISHED_UPLOAD_DAYS = 7
SECURE_TRANSPORT = "storage.secureHttpTransport"
"""https://docs.cloud.google.com/storage/docs/org-policy-constraints"""


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """Arguments of a `Bucket`. `key` is the name of a key of Cloud KMS in the same region."""

    project: Project
    region: str
    bucket: ObjectBucket
    labels: Mapping[str, str]
    key: pulumi.Input[str]
    protect: bool


class Bucket(pulumi.ComponentResource):
    """Encrypted with an own key, reached by IAM alone, never public.

    Either every replaced or deleted object stays for a time as an old version, or, with
    `lockDays`, no object can be replaced or deleted at all that long: Cloud Storage does not have
    both in one bucket. With `protect` the lock itself can never be lifted again. Plain HTTP can be
    refused for a whole project only, by an organization policy, when the plan asks for it.
    """

    name: pulumi.Output[str]
    url: pulumi.Output[str]
    locked: bool

    def __init__(
        self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:Bucket", name, None, opts)
        lock_days = args.bucket.lock_days
        resource = storage.Bucket(
            name_for(args.bucket.name_prefix, name),
            project=args.project.id,
            location=args.region.upper(),
            storage_class="STANDARD",
            labels=dict(args.labels),
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            force_destroy=False,
            encryption=storage.BucketEncryptionArgs(default_kms_key_name=args.key),
            versioning=storage.BucketVersioningArgs(enabled=lock_days is None),
            retention_policy=(
                storage.BucketRetentionPolicyArgs(
                    retention_period=str(lock_days * SECONDS_IN_DAY), is_locked=args.protect
                )
                if lock_days is not None
                else None
            ),
            soft_delete_policy=storage.BucketSoftDeletePolicyArgs(
                retention_duration_seconds=SOFT_DELETE_DAYS * SECONDS_IN_DAY
            ),
            lifecycle_rules=lifecycle_rules(args.bucket),
            opts=guarded(self, args.protect, self._secure_transport(name, args)),
        )
        self.name = resource.name
        self.locked = lock_days is not None
        self.url = pulumi.Output.concat("gs://", resource.name)
        self.register_outputs({"name": self.name, "url": self.url})

    def _secure_transport(self, name: str, args: BucketArgs) -> list[pulumi.Resource]:
        """There before the bucket, and kept as long."""
        if not args.bucket.secure_transport_policy:
            return []
        project = f"projects/{args.project.id}"
        policy = orgpolicy.Policy(
            f"{name}-secure-transport",
            parent=project,
            name=f"{project}/policies/{SECURE_TRANSPORT}",
            spec=orgpolicy.PolicySpecArgs(rules=[orgpolicy.PolicySpecRuleArgs(enforce="TRUE")]),
            opts=guarded(self, args.protect),
        )
        return [policy]


def lifecycle_rules(bucket: ObjectBucket) -> list[storage.BucketLifecycleRuleArgs]:
    """Into colder classes as the plan says; old versions and broken uploads go."""
    colder = [
        storage.BucketLifecycleRuleArgs(
            action=storage.BucketLifecycleRuleActionArgs(
                type="SetStorageClass", storage_class=each.storage_class
            ),
            condition=storage.BucketLifecycleRuleConditionArgs(
                age=each.after_days, send_age_if_zero=True, with_state="LIVE"
            ),
        )
        for each in bucket.transitions
    ]
    unfinished = storage.BucketLifecycleRuleArgs(
        action=storage.BucketLifecycleRuleActionArgs(type="AbortIncompleteMultipartUpload"),
        condition=storage.BucketLifecycleRuleConditionArgs(age=UNFINISHED_UPLOAD_DAYS),
    )
    if bucket.lock_days is not None:
        return [*colder, unfinished]
    old = storage.BucketLifecycleRuleArgs(
        action=storage.BucketLifecycleRuleActionArgs(type="Delete"),
        condition=storage.BucketLifecycleRuleConditionArgs(
            days_since_noncurrent_time=OLD_VERSION_DAYS, with_state="ARCHIVED"
        ),
    )
    return [*colder, unfinished, old]
