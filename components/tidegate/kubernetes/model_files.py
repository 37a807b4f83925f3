"""How a pod gets the files of its model repository: a volume, and a check of every digest."""

from dataclasses import dataclass
from typing import Any

from tidegate.cluster.names import labels
from tidegate.cluster.pod_security import container_security_context
from tidegate.kubernetes.objects import Manifest, manifest
from tidegate.kubernetes.triton import (
    MODELS,
    MODELS_VOLUME,
    SCRATCH_VOLUME,
    scratch_environment,
)
from tidegate.spec.digests import canonical_json
from tidegate.spec.model_source import ModelSource, ObjectStorage, OciImage, endpoint_environment
from tidegate.spec.revision import Revision

CONTAINER = "model-files"
MANIFEST_VOLUME = "model-manifest"
MANIFEST_FOLDER = "/etc/tidegate/models"
MANIFEST_FILE = "files.json"
MODULE = "tidegate.runner.fetch_models"


@dataclass(frozen=True)
class ModelFiles:
    """Parts of a pod, and the folder in which the server finds the repository."""

    init_container: dict[str, Any]
    volumes: list[dict[str, Any]]
    folder: str


def model_files(revision: Revision, source: ModelSource, runner_image: str) -> ModelFiles:
    """Whatever the source, an init container compares the files with the release's manifest."""
    place = source.place
    if isinstance(place, ObjectStorage):
        work = ["--source", place.url, "--folder", MODELS]
        container = _container(runner_image, work, writable=True, storage=place)
        return ModelFiles(container, [_empty(MODELS_VOLUME), _listed(revision)], MODELS)
    if isinstance(place, OciImage):
        volume = {
            "name": MODELS_VOLUME,
            "image": {"reference": place.reference, "pullPolicy": "IfNotPresent"},
        }
    else:
        volume = {
            "name": MODELS_VOLUME,
            "persistentVolumeClaim": {"claimName": place.claim, "readOnly": True},
        }
    folder = f"{MODELS}/{place.path}" if place.path else MODELS
    container = _container(runner_image, ["--folder", folder], writable=False, storage=None)
    return ModelFiles(container, [volume, _listed(revision)], folder)


def file_list(revision: Revision, namespace: str) -> Manifest:
    """The ConfigMap with the path and digest of every file."""
    files = canonical_json(revision.release.repository.files).decode()
    return manifest(
        "v1",
        "ConfigMap",
        revision.id,
        namespace,
        labels(revision.service, revision.id),
        immutable=True,
        data={MANIFEST_FILE: files},
    )


def _container(
    image: str, work: list[str], *, writable: bool, storage: ObjectStorage | None
) -> dict[str, Any]:
    amounts = {"cpu": "1", "memory": "1Gi"}
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        "command": ["python", "-m", MODULE],
        "args": ["--files", f"{MANIFEST_FOLDER}/{MANIFEST_FILE}", *work],
        "env": [*scratch_environment(), *(_storage_environment(storage) if storage else [])],
        "resources": {"requests": dict(amounts), "limits": dict(amounts)},
        "volumeMounts": [
            {"name": MODELS_VOLUME, "mountPath": MODELS, "readOnly": not writable},
            {"name": MANIFEST_VOLUME, "mountPath": MANIFEST_FOLDER, "readOnly": True},
            {"name": SCRATCH_VOLUME, "mountPath": "/tmp"},  # noqa: S108  # an emptyDir of the pod
        ],
        "securityContext": container_security_context(),
        # The last lines of the log become the message that SlotReadiness shows.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if storage is not None and storage.credentials_secret is not None:
        container["envFrom"] = [{"secretRef": {"name": storage.credentials_secret}}]
    return container


def _storage_environment(storage: ObjectStorage) -> list[dict[str, Any]]:
    """Variables that `obstore` reads beside those of the cloud's identity."""
    found = {}
    if storage.region is not None:
        found["AWS_REGION"] = storage.region
    found |= endpoint_environment(storage.endpoint)
    return [{"name": name, "value": value} for name, value in found.items()]


def _empty(name: str) -> dict[str, Any]:
    return {"name": name, "emptyDir": {}}


def _listed(revision: Revision) -> dict[str, Any]:
    return {"name": MANIFEST_VOLUME, "configMap": {"name": revision.id}}
