"""Keys of one's own: one for the cluster's secrets, one for what is stored."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import kms

from tidegate.aws.protection import guarded
from tidegate.aws.tags import named

DELETION_DAYS = 30
"""The longest time in which a deletion can still be taken back."""


@dataclass(frozen=True, kw_only=True)
class KeysArgs:
    """Arguments of `Keys`. `cluster` is the name that their descriptions tell."""

    cluster: str
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
        self.storage = self._key(f"{name}-storage", f"Storage of {args.cluster}", args)
        self.register_outputs({"controlPlane": self.control_plane, "storage": self.storage})

    def _key(self, name: str, description: str, args: KeysArgs) -> pulumi.Output[str]:
        """ARN of the key."""
        key = kms.Key(
            name,
            description=description,
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_DAYS,
            tags=named(args.tags, name),
            opts=guarded(self, args.protect),
        )
        return key.arn
