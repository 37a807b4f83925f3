"""Storage by how fast it is and how long it lasts: hot, warm, cold."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tidegate.spec.errors import SpecError
from tidegate.spec.signature import SpecModel
from tidegate.spec.text_rules import matching

S3_CLASSES = ("STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
GCS_CLASSES = ("NEARLINE", "COLDLINE", "ARCHIVE")


class LocalNvme(SpecModel):
    """The nodes' own disks: fast, and gone with the node."""

    kind: Literal["localNvme"] = "localNvme"


class FsxLustre(SpecModel):
    """Amazon FSx for Lustre on SSD. `throughput` in MB/s for each TiB; scratch has a fixed one.

    `efa`: clients reach it over EFA, with GPUDirect Storage. `repository_prefix` of the cold
    bucket appears under `repository_path` and is written back to it.
    """

    kind: Literal["fsxLustre"] = "fsxLustre"
    deployment_type: Literal["PERSISTENT_2", "SCRATCH_2"] = "PERSISTENT_2"
    capacity_gib: int = Field(ge=1)
    throughput: int | None = None
    efa: bool = False
    zone: str
    repository_path: Annotated[
        str,
        matching(
            r"(/[A-Za-z0-9._-]+)+", "FSx joins a folder below its root", "a path such as /data"
        ),
    ] = "/data"
    repository_prefix: (
        Annotated[
            str,
            matching(
                r"[A-Za-z0-9._/-]*",
                "names of its objects are to be paths",
                "letters, digits, '.', '_', '-' and '/', such as checkpoints",
            ),
        ]
        | None
    ) = None


class ManagedLustre(SpecModel):
    """Google Cloud Managed Lustre. `throughput` in MB/s for each TiB."""

    kind: Literal["managedLustre"] = "managedLustre"
    capacity_gib: int = Field(ge=1)
    throughput: int
    filesystem: str = "lustre"
    zone: str


class Parallelstore(SpecModel):
    """Google Cloud Parallelstore: scratch space in one zone."""

    kind: Literal["parallelstore"] = "parallelstore"
    capacity_gib: int = Field(ge=1)
    zone: str


class Efs(SpecModel):
    """Amazon EFS over the cluster's zones. `provisioned_mibps` with that throughput mode only."""

    kind: Literal["efs"] = "efs"
    throughput_mode: Literal["elastic", "bursting", "provisioned"] = "elastic"
    provisioned_mibps: int | None = Field(default=None, ge=1)


class Filestore(SpecModel):
    """Google Cloud Filestore. `zone` for the tiers that live in one; REGIONAL has none."""

    kind: Literal["filestore"] = "filestore"
    tier: Literal["BASIC_HDD", "BASIC_SSD", "ZONAL", "REGIONAL"] = "REGIONAL"
    capacity_gib: int = Field(ge=1)
    zone: str | None = None


class Transition(SpecModel):
    """Objects that are `after_days` old go into a colder class."""

    after_days: int = Field(ge=0)
    storage_class: str


class ObjectBucket(SpecModel):
    """S3 or Cloud Storage: versioned, encrypted with an own key, TLS only, never public.

    `lock_days` keeps release artifacts from being changed or deleted that long. No bucket of Cloud
    Storage can refuse plain HTTP by itself: `secure_transport_policy` makes its whole project do.
    """

    kind: Literal["bucket"] = "bucket"
    name_prefix: Annotated[
        str,
        matching(
            r"[a-z0-9]([a-z0-9-]{1,35}[a-z0-9])",
            "no bucket's name can begin with it",
            "3 to 37 lower-case letters, digits and '-', such as acme-releases",
        ),
    ]
    transitions: tuple[Transition, ...] = ()
    lock_days: int | None = Field(default=None, ge=1, le=36500)
    secure_transport_policy: bool = False

    @model_validator(mode="after")
    def _transitions_follow(self) -> Self:
        days = [each.after_days for each in self.transitions]
        if days != sorted(set(days)):
            raise SpecError(
                "transitions.afterDays",
                days,
                "an object goes from one class into the next colder one",
                "transitions in the order of afterDays, each day once",
            )
        return self


HotTier = Annotated[
    LocalNvme | FsxLustre | ManagedLustre | Parallelstore, Field(discriminator="kind")
]
WarmTier = Annotated[Efs | Filestore, Field(discriminator="kind")]


class StorageTiers(SpecModel):
    """Each tier is there when it is named."""

    hot: HotTier | None = None
    warm: WarmTier | None = None
    cold: ObjectBucket | None = None
