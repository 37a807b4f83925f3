"""Where a server in a cluster finds a release's model repository."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from tidegate.spec.kubernetes_names import DnsName
from tidegate.spec.signature import SpecModel

# A reference as container runtimes read it: host/path, perhaps a tag, and the content's digest.
_IMAGE = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]*@sha256:[0-9a-f]{64}")
_BUCKET = re.compile(r"(s3|gs)://[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9._=/-]*)?")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")
_FOLDER = re.compile(r"(?!/)(?!.*\.\.)[A-Za-z0-9._/-]*")


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise ValueError(
            "write an image with its digest, as registry/name:tag@sha256:<64 hex digits>: "
            "a tag can be moved to other content"
        )
    return text


def _bucket(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise ValueError("write s3://bucket/prefix or gs://bucket/prefix, without credentials")
    return text


def _endpoint(text: str) -> str:
    if not _ENDPOINT.fullmatch(text):
        raise ValueError("write https://host or https://host:port")
    return text


def _folder(text: str) -> str:
    if not _FOLDER.fullmatch(text):
        raise ValueError("write a plain path relative to the volume, without '..'")
    return text.rstrip("/")


StorageEndpoint = Annotated[str, AfterValidator(_endpoint)]
"""A pydantic field with the address of an object storage that is not AWS's or Google's."""

ImageReference = Annotated[str, AfterValidator(_image)]
"""A pydantic field that holds an image by digest."""


def endpoint_environment(endpoint: str | None) -> dict[str, str]:
    """Variables by which `obstore` reaches it; none for AWS's own."""
    if endpoint is None:
        return {}
    found = {"AWS_ENDPOINT_URL": endpoint}
    return found | ({"AWS_ALLOW_HTTP": "true"} if endpoint.startswith("http://") else {})


class OciImage(SpecModel):
    """An image (or OCI artifact) that holds the repository in the folder `path`.

    Mounted as an image volume: on by default from Kubernetes 1.35, in 1.33 and 1.34 with the
    feature gate ImageVolume.
    """

    reference: ImageReference
    path: Annotated[str, AfterValidator(_folder)] = ""


class ObjectStorage(SpecModel):
    """A bucket; the repository's files lie below `url`, as the release's manifest names them.

    `endpoint` and `credentials_secret` are for storage that is not AWS's or Google's, or that the
    service account has no identity for; the Secret's keys become environment variables, such as
    AWS_ACCESS_KEY_ID.
    """

    url: Annotated[str, AfterValidator(_bucket)]
    region: str | None = Field(default=None, pattern=r"^[a-z0-9-]+$")
    endpoint: StorageEndpoint | None = None
    credentials_secret: DnsName | None = None


class PersistentVolumeClaim(SpecModel):
    """A volume of the warm tier; the repository is its folder `path`. Mounted read-only."""

    claim: DnsName
    path: Annotated[str, AfterValidator(_folder)] = ""


class ModelSource(SpecModel):
    """Exactly one place. Wherever the files are, their digests are those of the manifest."""

    oci_image: OciImage | None = None
    object_storage: ObjectStorage | None = None
    persistent_volume_claim: PersistentVolumeClaim | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self._given()) != 1:
            raise ValueError("write one of ociImage, objectStorage and persistentVolumeClaim")
        return self

    @property
    def place(self) -> OciImage | ObjectStorage | PersistentVolumeClaim:
        return self._given()[0]

    def _given(self) -> list[OciImage | ObjectStorage | PersistentVolumeClaim]:
        places = (self.oci_image, self.object_storage, self.persistent_volume_claim)
        return [each for each in places if each is not None]
