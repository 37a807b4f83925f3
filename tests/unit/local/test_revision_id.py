import re
from pathlib import Path
from typing import Any

import pytest

from tidegate.spec.errors import SpecError
from tidegate.spec.release import Release, load_release
from tidegate.spec.revision import ID_LIMIT, Probes, Revision

pytestmark = pytest.mark.unit

RELEASE = load_release(Path(__file__).parents[3] / "serving", "digits", "2")
OTHER_DIGEST = "sha256:" + "0" * 64


def revision(release: Release = RELEASE, **changes: Any) -> Revision:
    fields: dict[str, Any] = {"platform": "local", "release": release, "probes": Probes()}
    return Revision(**(fields | changes))


def changed(path: str, value: object) -> Release:
    """The release with one place of its manifest changed; `path` is dotted."""
    manifest = RELEASE.manifest()
    place: Any = manifest
    *folders, last = path.split(".")
    for folder in folders:
        place = place[int(folder)] if folder.isdigit() else place[folder]
    assert place[last] != value
    place[last] = value
    return Release.model_validate(manifest)


def test_it_is_service_release_and_eight_hex_digits() -> None:
    assert re.fullmatch(r"digits-2-[0-9a-f]{8}", revision().id)


def test_equal_revisions_have_one_id() -> None:
    again = Revision.model_validate(revision().model_dump())

    assert again.id == revision().id


@pytest.mark.parametrize(
    "changes",
    [
        {"platform": "kubernetes"},
        {"probes": Probes(ready_timeout_seconds=61)},
        {"probes": Probes(health_interval_seconds=2)},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_every_serving_decision_makes_another_revision(changes: dict[str, Any]) -> None:
    assert revision(**changes).id != revision().id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("service", "letters"),
        ("release", "3"),
        ("settings.instances", 2),
        ("settings.intraOpThreads", 4),
        ("settings.maxBatchSize", 8),
        ("golden.sha256", OTHER_DIGEST),
        ("golden.tolerance.absolute", 0.5),
        ("servers.local.sha256", OTHER_DIGEST),
        ("models.0.inputs.0.maximum", 255.0),
    ],
)
def test_every_setting_of_the_release_makes_another_revision(path: str, value: object) -> None:
    assert revision(changed(path, value)).id != revision().id


def test_other_model_bytes_make_another_revision() -> None:
    files = dict(RELEASE.repository.files)
    files["digits/2/model.onnx"] = OTHER_DIGEST

    assert revision(changed("repository.files", files)).id != revision().id


def test_the_place_of_the_files_on_disk_plays_no_part() -> None:
    """Nothing but the manifest and the serving decisions is in it."""
    assert set(revision().model_dump(exclude_none=True)) == {"platform", "release", "probes"}


def test_a_name_that_is_no_dns_label_is_refused_with_its_length() -> None:
    service, release = "s" * 40, "r" * 13
    fits = changed("service", service).model_copy(update={"release": release})
    assert len(revision(fits).id) == ID_LIMIT

    too_long = revision(fits.model_copy(update={"release": release + "r"}))
    with pytest.raises(SpecError, match="has 64 characters, a DNS label has at most 63"):
        _ = too_long.id
