"""Models of releases in an object storage that pods can reach."""

from typing import Any

from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Secret

from tests.cluster.project import ClusterProject
from tests.unit.gate.bucket_fake import FakeBucket
from tidegate.spec.release import load_release

SECRET = "model-storage"  # noqa: S105 - a name


def models_in(
    bucket: FakeBucket, project: ClusterProject, secret_key: str, *releases: tuple[str, str]
) -> dict[str, Any]:
    """Put the files of releases (service, name) there; returns `kubernetes.model` of a service."""
    for service, name in releases:
        repository = load_release(project.serving_root, service, name).repository
        for file in repository.files:
            content = (project.serving_root / repository.path / file).read_bytes()
            bucket.objects[f"serving/{repository.path}/{file}"] = content
    variables = bucket.environment(secret_key)
    project.api.create(Secret(metadata=ObjectMeta(name=SECRET), stringData=variables))
    return {"objectStorage": {"url": "s3://models/serving", "credentialsSecret": SECRET}}
