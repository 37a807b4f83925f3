"""A repository for images in Artifact Registry."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import artifactregistry

from tidegate.gcp.naming import bounded
from tidegate.gcp.project import Project
from tidegate.gcp.protection import guarded

UNTAGGED_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """Arguments of a `Registry`. `reader` is the IAM member that pulls, the nodes' account."""

    project: Project
    region: str
    labels: Mapping[str, str]
    key: pulumi.Input[str]
    reader: pulumi.Input[str]
    protect: bool


class Registry(pulumi.ComponentResource):
    """Images under tags that never move, encrypted with an own key, scanned when pushed.

    `url` is what an image's name begins with.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("tidegate:gcp:Registry", name, None, opts)
        repository = artifactregistry.Repository(
            name,
            project=args.project.id,
            location=args.region,
            repository_id=bounded(name),
            format="DOCKER",
            description=f"Images of {name}",
            docker_config=artifactregistry.RepositoryDockerConfigArgs(immutable_tags=True),
            kms_key_name=args.key,
            vulnerability_scanning_config=artifactregistry.RepositoryVulnerabilityScanningConfigArgs(
                enablement_config="INHERITED"
            ),
            cleanup_policies=[
                artifactregistry.RepositoryCleanupPolicyArgs(
                    id="untagged",
                    action="DELETE",
                    condition=artifactregistry.RepositoryCleanupPolicyConditionArgs(
                        tag_state="UNTAGGED", older_than=f"{UNTAGGED_DAYS * 86400}s"
                    ),
                )
            ],
            # What a release names by digest may have lost its tag: report, do not delete.
            cleanup_policy_dry_run=True,
            labels=dict(args.labels),
            opts=guarded(self, args.protect),
        )
        artifactregistry.RepositoryIamMember(
            name,
            project=args.project.id,
            location=args.region,
            repository=repository.name,
            role="roles/artifactregistry.reader",
            member=args.reader,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = pulumi.Output.concat(
            f"{args.region}-docker.pkg.dev/{args.project.id}/", repository.repository_id
        )
        self.register_outputs({"url": self.url})
