"""Releases: immutable manifests `releases/<service>/<release>.yaml` under the serving root.

A manifest names by digest every file that shapes the answers. It is checked when it is loaded;
the bytes are checked by `Release.verify`, before anything serves them.
"""

import difflib
import shutil
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, Field, JsonValue, ValidationError

from tidegate.spec.digests import Digest, canonical_json, digest_bytes, digest_file, tree_findings
from tidegate.spec.errors import SpecError
from tidegate.spec.refusals import shape_error
from tidegate.spec.signature import ModelSignature, SpecModel, TensorSpec

__all__ = [
    "Dataset",
    "Evaluation",
    "GoldenSet",
    "Lineage",
    "ModelSignature",
    "Release",
    "Repository",
    "ServerVariant",
    "ServingSettings",
    "TensorSpec",
    "Tolerance",
    "load_release",
    "manifest_path",
]


def _relative(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or str(PurePosixPath(path)) != path:
        raise ValueError("write a plain path relative to its folder, without '..'")
    return path


RelativePath = Annotated[str, AfterValidator(_relative)]

# A name becomes part of DNS labels and of file paths.
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=40)]


class Dataset(SpecModel):
    """`digest` covers the data as `digestOf` describes it; `samples` counts the examples."""

    name: str
    digest: Digest
    digest_of: str
    samples: int = Field(ge=1)


class Evaluation(SpecModel):
    """Metrics on the held-out split, whose `samples` examples no training step has seen."""

    samples: int = Field(ge=1)
    digest: Digest
    metrics: dict[str, float]


class Lineage(SpecModel):
    """Where the model came from. `code` maps paths below the serving root to digests."""

    dataset: Dataset
    code: dict[RelativePath, Digest]
    seed: int
    arguments: dict[str, JsonValue]
    libraries: dict[str, str]
    held_out: Evaluation


class ServingSettings(SpecModel):
    """Settings that shape answers or latency. `maxBatchSize` 0: no batching by the server."""

    instances: int = Field(ge=1)
    intra_op_threads: int = Field(ge=1)
    max_batch_size: int = Field(ge=0)


class Repository(SpecModel):
    """A whole Triton repository. `files` maps paths below `path` to digests."""

    path: RelativePath
    files: dict[RelativePath, Digest] = Field(min_length=1)


class Tolerance(SpecModel):
    """An answer y agrees with the expected y* when |y - y*| <= absolute + relative * |y*|."""

    absolute: float = Field(ge=0)
    relative: float = Field(ge=0)


class GoldenSet(SpecModel):
    """Path of the `.npz` file below the serving root (see `tidegate.spec.golden`)."""

    path: RelativePath
    sha256: Digest
    tolerance: Tolerance


class ServerVariant(SpecModel):
    """The server program of one platform: a distribution and its server binary's digest."""

    distribution: str
    version: str
    sha256: Digest


class Release(SpecModel):
    """One release of a service. Its first model is the one users call; `golden` is about it."""

    api_version: Literal["tidegate/v1"]
    service: Name
    release: Name
    description: str
    lineage: Lineage
    models: tuple[ModelSignature, ...] = Field(min_length=1)
    settings: ServingSettings
    repository: Repository
    golden: GoldenSet
    servers: dict[str, ServerVariant] = Field(min_length=1)

    @property
    def model(self) -> ModelSignature:
        return self.models[0]

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the manifest's content; its layout plays no part."""
        return digest_bytes(canonical_json(self.manifest()))

    def manifest(self) -> dict[str, JsonValue]:
        """The content as it stands in the file, camelCase keys."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def verify(self, serving_root: Path) -> None:
        """Compare the release's files with their digests.

        Raises SpecError naming every file that is missing, not listed, or has another digest.
        """
        findings = list(tree_findings(serving_root / self.repository.path, self.repository.files))
        golden = serving_root / self.golden.path
        if not golden.is_file():
            findings.append(f"{self.golden.path} is missing")
        elif (found := digest_file(golden)) != self.golden.sha256:
            findings.append(f"{self.golden.path} is {found}, expected {self.golden.sha256}")
        self._refuse(findings, serving_root)

    def copy_repository(self, serving_root: Path, destination: Path) -> None:
        """Copy the verified repository to `destination`, which must not exist.

        Servers run from a copy: Triton writes byte code into its repository, and a later edit
        below the serving root must not reach a running server. `destination` appears complete
        or not at all.

        Raises SpecError when the bytes differ from the manifest, FileExistsError.
        """
        if destination.exists():
            raise FileExistsError(destination)
        partial = destination.with_name(destination.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        self.verify(serving_root)
        for name in self.repository.files:
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(serving_root / self.repository.path / name, target)
        # The copy is what will be served, so the copy is what has to be right.
        self._refuse(tree_findings(partial, self.repository.files), serving_root)
        partial.rename(destination)

    def _refuse(self, findings: list[str] | tuple[str, ...], serving_root: Path) -> None:
        if findings:
            raise SpecError(
                f"{self.service}@{self.release}",
                str(serving_root),
                "its files are not those of the manifest: " + "; ".join(findings),
                "restore the files, or publish the change as a release with a new name",
            )


def manifest_path(serving_root: Path, service: str, release: str) -> Path:
    return serving_root / "releases" / service / f"{release}.yaml"


def load_release(serving_root: Path, service: str, release: str) -> Release:
    """Read and check the manifest of `service`@`release`, not the files it names.

    Raises SpecError: no such release (names those there are), a key, a value or a digest that
    cannot be, a manifest whose service or release is not that of its path.
    """
    path = manifest_path(serving_root, service, release)
    # A name such as '../x' must reach no file.
    if not (_is_one_part(service) and _is_one_part(release) and path.is_file()):
        _refuse_unknown(serving_root, service, release)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(
            str(path), None, f"it is no YAML in UTF-8 ({error})", "restore the file"
        ) from error
    try:
        loaded = Release.model_validate(content)
    except ValidationError as error:
        raise shape_error(error, str(path), content, Release) from error
    for key, actual, expected in (
        ("service", loaded.service, service),
        ("release", loaded.release, release),
    ):
        if actual != expected:
            raise SpecError(
                f"{path}: {key}",
                actual,
                f"the file's path says '{expected}'",
                f"write '{expected}', or move the file",
            )
    return loaded


def _is_one_part(name: str) -> bool:
    return PurePosixPath(name).name == name and name != ".."


def _refuse_unknown(serving_root: Path, service: str, release: str) -> None:
    """Lists folders, which takes a time for each service that there is."""
    services = {folder.name for folder in (serving_root / "releases").glob("*") if folder.is_dir()}
    _check_known("service", service, services, f"{serving_root / 'releases'} has no such folder")
    folder = serving_root / "releases" / service
    releases = {file.stem for file in folder.glob("*.yaml")}
    _check_known(
        "release",
        f"{service}@{release}",
        {f"{service}@{name}" for name in releases},
        f"{folder} has no {release}.yaml",
    )


def _check_known(field: str, name: str, known: set[str], why: str) -> None:
    if name in known:
        return
    if not known:
        raise SpecError(field, name, why, f"publish one first; there is no {field} yet")
    nearest = difflib.get_close_matches(name, known, n=1)
    advice = f"write '{nearest[0]}'; " if nearest else ""
    raise SpecError(field, name, why, f"{advice}there are: {', '.join(sorted(known))}")
