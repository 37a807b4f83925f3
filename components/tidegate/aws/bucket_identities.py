"""Which pods may use the cluster's bucket: the add-on that mounts it, and the workloads."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from tidegate.aws.buckets import Bucket
from tidegate.aws.identity import PodIdentity, PodIdentityArgs, bucket_statements
from tidegate.aws.volumes import CHECKPOINT_PREFIX
from tidegate.spec.name_rules_aws import BUCKET_DRIVER
from tidegate.spec.workload_identity import WorkloadIdentity


@dataclass(frozen=True, kw_only=True)
class BucketIdentities:
    """What identities are made from; they become children of `parent`. `key` encrypts the bucket.

    `cluster` is the name of it in AWS.
    """

    name: str
    parent: pulumi.Resource
    cluster: pulumi.Input[str]
    bucket: Bucket
    key: pulumi.Input[str]
    tags: Mapping[str, str]

    def driver(self) -> PodIdentity:
        """It writes checkpoints, which a locked bucket has none of."""
        return self._made(BUCKET_DRIVER, None if self.bucket.locked else CHECKPOINT_PREFIX)

    def workload(self, workload: WorkloadIdentity) -> PodIdentity:
        return self._made(workload, None)

    def _made(self, workload: WorkloadIdentity, write_prefix: str | None) -> PodIdentity:
        return PodIdentity(
            f"{self.name}-{workload.name}",
            PodIdentityArgs(
                cluster=self.cluster,
                namespace=workload.namespace,
                service_account=workload.service_account,
                statements=bucket_statements(
                    self.bucket.arn, self.key, workload.access, write_prefix
                ),
                tags=self.tags,
            ),
            pulumi.ResourceOptions(parent=self.parent),
        )
