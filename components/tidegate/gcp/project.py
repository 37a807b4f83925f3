"""The project of Google Cloud that a cluster is in, and the accounts of Google's services there."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import organizations, storage

from tidegate.spec.errors import SpecError


@dataclass(frozen=True, kw_only=True)
class Project:
    """Both names of a project. Accounts of Google's services contain its number.

    `storage_account` is the member that Cloud Storage's own account is, where the cloud was asked.
    """

    id: str
    number: pulumi.Input[str]
    storage_account: pulumi.Output[str] | None = None

    @property
    def workload_pool(self) -> str:
        """The pool of identities of Kubernetes service accounts."""
        return f"{self.id}.svc.id.goog"

    @property
    def kubernetes_engine(self) -> pulumi.Output[str]:
        return self._service_agent("container-engine-robot")

    @property
    def compute_engine(self) -> pulumi.Output[str]:
        return self._service_agent("compute-system")

    @property
    def cloud_storage(self) -> pulumi.Output[str]:
        if self.storage_account is not None:
            return self.storage_account
        return self._service_agent("gs-project-accounts")

    def workload(self, namespace: str, service_account: str) -> pulumi.Output[str]:
        """The IAM member that pods with this Kubernetes service account are."""
        return pulumi.Output.concat(
            "principal://iam.googleapis.com/projects/",
            self.number,
            f"/locations/global/workloadIdentityPools/{self.workload_pool}",
            f"/subject/ns/{namespace}/sa/{service_account}",
        )

    def _service_agent(self, service: str) -> pulumi.Output[str]:
        return pulumi.Output.concat(
            "serviceAccount:service-", self.number, f"@{service}.iam.gserviceaccount.com"
        )


def project_of(
    name: str | None, number: pulumi.Input[str] | None, opts: pulumi.InvokeOptions
) -> Project:
    """The project with this id; without its number the cloud is asked.

    A project has Cloud Storage's own account only once somebody asks for that, and nothing can be
    granted to it before: who gives the number sees to it. Raises SpecError when there is no id.
    """
    if name is None:
        raise SpecError(
            "project",
            None,
            "everything on Google Cloud is in a project",
            "the id of yours, such as ml-staging",
        )
    if number is not None:
        return Project(id=name, number=number)
    return Project(
        id=name,
        number=organizations.get_project_output(project_id=name, opts=opts).number,
        storage_account=storage.get_project_service_account_output(project=name, opts=opts).member,
    )
