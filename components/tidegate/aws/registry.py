"""Repositories for images in ECR."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ecr

from tidegate.aws.protection import guarded
from tidegate.aws.tags import named

UNTAGGED_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """Arguments of a `Registry`. ECR needs a repository for each of `images`."""

    cluster: str
    images: Sequence[str]
    tags: Mapping[str, str]
    key: pulumi.Input[str]
    protect: bool


class Registry(pulumi.ComponentResource):
    """Images under tags that never move, encrypted with an own key, scanned when pushed.

    `url` is what an image's name begins with: `<url>/runner`.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:aws:Registry", name, None, opts)
        made = [self._repository(f"{name}-{image}", image, args) for image in args.images]
        self.url = made[0].repository_url.apply(lambda url: url.rpartition("/")[0])
        self.register_outputs({"url": self.url})

    def _repository(self, label: str, image: str, args: RegistryArgs) -> ecr.Repository:
        repository = ecr.Repository(
            label,
            name=f"{args.cluster}/{image}",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=ecr.RepositoryImageScanningConfigurationArgs(
                scan_on_push=True
            ),
            encryption_configurations=[
                ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=args.key)
            ],
            tags=named(args.tags, label),
            opts=guarded(self, args.protect),
        )
        rule = {
            "rulePriority": 1,
            "description": "Layers of failed and replaced pushes",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
        ecr.LifecyclePolicy(
            label,
            repository=repository.name,
            policy=json.dumps({"rules": [rule]}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return repository
