"""The cold tier: a bucket that keeps every version and lets nobody in from outside."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import s3

from tidegate.aws.policies import document
from tidegate.aws.protection import guarded
from tidegate.aws.tags import named
from tidegate.spec.storage_tiers import ObjectBucket

UPLOAD_DAYS = 7
"""Parts of an upload that nobody finished are paid for until they are removed."""

OLD_VERSION_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """Arguments of a `Bucket`. `key` is the ARN of the key that encrypts it."""

    plan: ObjectBucket
    key: pulumi.Input[str]
    tags: Mapping[str, str]
    protect: bool


class Bucket(pulumi.ComponentResource):
    """Versioned, encrypted with an own key, TLS only, never public; colder with time.

    With `lock_days` nobody changes or deletes a version that long, unless a policy lets them
    bypass it (governance mode).
    """

    id: pulumi.Output[str]
    arn: pulumi.Output[str]
    url: pulumi.Output[str]
    locked: bool

    def __init__(
        self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:Bucket", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        bucket = s3.Bucket(
            name,
            bucket_prefix=f"{args.plan.name_prefix}-",
            object_lock_enabled=args.plan.lock_days is not None,
            tags=named(args.tags, name),
            opts=guarded(self, args.protect),
        )
        self.id, self.arn = bucket.id, bucket.arn
        self.locked = args.plan.lock_days is not None
        self.url = pulumi.Output.concat("s3://", bucket.id)
        closed = s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=own,
        )
        s3.BucketOwnershipControls(
            name,
            bucket=bucket.id,
            rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=own,
        )
        s3.BucketPolicy(
            name,
            bucket=bucket.id,
            policy=bucket.arn.apply(_tls_only),
            # S3 takes one change of a bucket's access at a time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        versioning = s3.BucketVersioning(
            name,
            bucket=bucket.id,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(
                status="Enabled"
            ),
            opts=own,
        )
        s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                        sse_algorithm="aws:kms", kms_master_key_id=args.key
                    ),
                    bucket_key_enabled=True,
                )
            ],
            opts=own,
        )
        after_versioning = pulumi.ResourceOptions(parent=self, depends_on=[versioning])
        s3.BucketLifecycleConfiguration(
            name, bucket=bucket.id, rules=_lifecycle(args.plan), opts=after_versioning
        )
        if args.plan.lock_days is not None:
            s3.BucketObjectLockConfiguration(
                name,
                bucket=bucket.id,
                rule=s3.BucketObjectLockConfigurationRuleArgs(
                    default_retention=s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
                        mode="GOVERNANCE", days=args.plan.lock_days
                    )
                ),
                opts=after_versioning,
            )
        self.register_outputs({"id": self.id, "arn": self.arn, "url": self.url})


def _tls_only(arn: str) -> str:
    return document(
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def _lifecycle(plan: ObjectBucket) -> list[s3.BucketLifecycleConfigurationRuleArgs]:
    everything = s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
    rules = [
        s3.BucketLifecycleConfigurationRuleArgs(
            id="unfinished-uploads",
            status="Enabled",
            filter=everything,
            abort_incomplete_multipart_upload=s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                days_after_initiation=UPLOAD_DAYS
            ),
        ),
        s3.BucketLifecycleConfigurationRuleArgs(
            id="old-versions",
            status="Enabled",
            filter=everything,
            noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                noncurrent_days=max(OLD_VERSION_DAYS, plan.lock_days or 0)
            ),
        ),
    ]
    if plan.transitions:
        rules.append(
            s3.BucketLifecycleConfigurationRuleArgs(
                id="colder-with-time",
                status="Enabled",
                filter=everything,
                transitions=[
                    s3.BucketLifecycleConfigurationRuleTransitionArgs(
                        days=each.after_days, storage_class=each.storage_class
                    )
                    for each in plan.transitions
                ],
            )
        )
    return rules
