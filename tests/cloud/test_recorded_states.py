"""Whoever updates tidegate keeps every resource: today's program against recorded states."""

import json
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest

from tests.cloud.harness.project import CloudProject
from tests.cloud.harness.recorded_state import read_record, renamed
from tests.cloud.record_states import RECORDS, STACKS
from tidegate.provider.values import SECRET_SIGNATURE

pytestmark = pytest.mark.cloud

Make = Callable[..., CloudProject]
FILES = sorted(RECORDS.glob("*/*.json.gz"))
GCP_STAGING = RECORDS / version("tidegate") / "gcp-staging.json.gz"
KEEPING = ("same", "update")
# Folders of a machine that makes records; the other one is on nodes of GKE.
PLACES = re.compile(r'"(/home/(?!kubernetes/)|/root/|/tmp/|/work/|file://)')


def told(file: Path) -> str:
    return f"{file.parent.name}/{file.name.partition('.')[0]}"


@pytest.mark.parametrize("file", FILES, ids=told)
def test_no_recorded_resource_is_made_anew_or_given_up(make_cloud: Make, file: Path) -> None:
    record = read_record(file)
    project = restored(make_cloud, told(file).rpartition("/")[2], record)
    steps = project.steps()
    assert lost(record, steps) == set()
    if file.parent.name == version("tidegate"):  # a later version may have more resources
        assert [each for each in steps if each[0] not in KEEPING] == []


def test_another_name_is_noticed(make_cloud: Make) -> None:
    record = read_record(GCP_STAGING)
    router = the(record, "gcp:compute/router:Router")
    record["export"] = renamed(record["export"], router["urn"], "formerly")
    steps = restored(make_cloud, "gcp-staging", record).steps()
    assert lost(record, steps) == {the(record, "gcp:compute/router:Router")["urn"]}
    assert ("create", router["urn"]) in steps


def test_an_input_that_no_update_can_change_is_noticed(make_cloud: Make) -> None:
    record = read_record(GCP_STAGING)
    cluster = the(record, "gcp:container/cluster:Cluster")
    cluster["inputs"]["location"] = "us-east1"
    steps = restored(make_cloud, "gcp-staging", record).steps()
    assert cluster["urn"] in lost(record, steps)


def test_this_version_has_a_record_of_every_stack() -> None:
    assert {told(each) for each in FILES} >= {f"{version('tidegate')}/{each}" for each in STACKS}


@pytest.mark.parametrize("file", FILES, ids=told)
def test_a_record_has_no_secret_and_no_place_on_a_machine(file: Path) -> None:
    text = json.dumps(read_record(file))
    assert SECRET_SIGNATURE not in text
    assert PLACES.findall(text) == []


def lost(record: dict[str, Any], steps: Sequence[tuple[str, str]]) -> set[str]:
    """Recorded resources that an `up` would replace or delete."""
    kept = {urn for operation, urn in steps if operation in KEEPING}
    return {each["urn"] for each in record["export"]["deployment"]["resources"]} - kept


def the(record: dict[str, Any], type_token: str) -> dict[str, Any]:
    """The recorded resource of this type."""
    resources = record["export"]["deployment"]["resources"]
    (found,) = (each for each in resources if each["type"] == type_token)
    return cast(dict[str, Any], found)


def restored(make_cloud: Make, stack: str, record: dict[str, Any]) -> CloudProject:
    """A project that has the recorded stack, with the settings that it was made from."""
    project = make_cloud(stack=stack)
    project.declare(record["config"])
    file = project.root / "recorded.json"
    file.write_text(json.dumps(record["export"]))
    project.pulumi("stack", "import", "--file", str(file), "--stack", stack)
    return project
