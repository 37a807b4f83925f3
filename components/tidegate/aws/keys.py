"""Keys of one's own: one for the cluster's secrets, one for what is stored."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import kms

from tidegate.aws.policies import document
from tidegate.aws.protection import guarded
from tidegate.aws.tags import named

DELETION_DAYS = 30
"""The longest time in which a deletion can still be taken back."""

FSX_ROLES = "s3.data-source.lustre.fsx.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class KeysArgs:
    """Arguments of `Keys`. `cluster` is the name that their descriptions tell.

    `linked`: FSx reads and writes a bucket of the region that the storage key encrypts.
    """

    cluster: str
    region: str
    linked: bool
    tags: Mapping[str, str]
    protect: bool


class Keys(pulumi.ComponentResource):
    """Each turns every year. What a lost key encrypted is lost with it, so they are guarded."""

    control_plane: pulumi.Output[str]
    storage: pulumi.Output[str]

    def __init__(
        self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:Keys", name, None, opts)
        self.control_plane = self._key(f"{name}-secrets", f"Secrets of {args.cluster}", args)
        # The ARN of the one tells the account, which the other's policy names.
        policy = self.control_plane.apply(lambda arn: _linked(arn, args.region))
        self.storage = self._key(
            f"{name}-storage", f"Storage of {args.cluster}", args, policy if args.linked else None
        )
        self.register_outputs({"controlPlane": self.control_plane, "storage": self.storage})

    def _key(
        self,
        name: str,
        description: str,
        args: KeysArgs,
        policy: pulumi.Output[str] | None = None,
    ) -> pulumi.Output[str]:
        """ARN of the key. Without a policy of its own IAM alone says who may use it."""
        key = kms.Key(
            name,
            description=description,
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_DAYS,
            policy=policy,
            tags=named(args.tags, name),
            opts=guarded(self, args.protect),
        )
        return key.arn


def _linked(arn: str, region: str) -> str:
    """As without a policy, and FSx's own role of each file system, which no policy of IAM changes.

    https://docs.aws.amazon.com/fsx/latest/LustreGuide/s3-server-side-encryption-support.html
    """
    partition, account = arn.split(":")[1], arn.split(":")[4]
    iam = f"arn:{partition}:iam::{account}"
    return document(
        {
            "Sid": "Iam",
            "Effect": "Allow",
            "Principal": {"AWS": f"{iam}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "FsxThroughS3",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncrypt*",
                "kms:GenerateDataKey*",
                "kms:DescribeKey",
            ],
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "kms:CallerAccount": account,
                    "kms:ViaService": f"s3.{region}.amazonaws.com",
                },
                "ArnLike": {"aws:PrincipalArn": f"{iam}:role/aws-service-role/{FSX_ROLES}/*"},
            },
        },
    )
