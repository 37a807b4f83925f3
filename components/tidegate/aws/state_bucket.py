"""A bucket of S3 for the state of stacks: `StateBucket`."""

from dataclasses import dataclass

import pulumi
from pulumi_aws import kms

from tidegate.aws.buckets import Bucket, BucketArgs
from tidegate.aws.keys import DELETION_DAYS
from tidegate.aws.protection import guarded
from tidegate.aws.tags import named
from tidegate.spec.state_plan import StatePlan, check_state


@dataclass(frozen=True, kw_only=True)
class StateBucketArgs:
    """Arguments of a `StateBucket`. Raises SpecError for another cloud's plan."""

    plan: StatePlan

    def __post_init__(self) -> None:
        check_state(self.plan, "aws")


class StateBucket(pulumi.ComponentResource):
    """As the bucket of releases, with a key that the secrets in the state are encrypted with too.

    `backend_url` is Pulumi's, `key_url` what it calls a secrets provider.
    """

    backend_url: pulumi.Output[str]
    key_url: pulumi.Output[str]

    def __init__(
        self, name: str, args: StateBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:StateBucket", name, None, opts)
        plan = args.plan
        key = kms.Key(
            name,
            description=f"State of stacks, {plan.name}",
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_DAYS,
            tags=named(plan.labels, name),
            opts=guarded(self, plan.protect),
        )
        bucket = Bucket(
            name,
            BucketArgs(plan=plan.bucket, key=key.arn, tags=plan.labels, protect=plan.protect),
            pulumi.ResourceOptions(parent=self),
        )
        self.backend_url = pulumi.Output.concat(bucket.url, f"?region={plan.region}")
        self.key_url = pulumi.Output.concat("awskms://", key.key_id, f"?region={plan.region}")
        self.register_outputs({"backendUrl": self.backend_url, "keyUrl": self.key_url})
