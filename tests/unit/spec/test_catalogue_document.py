"""The guide's plans work, and its tables name what the catalogue has."""

import re
from pathlib import Path

import pytest
import yaml

from tests.unit.spec.cluster_documents import resolved
from tidegate.spec.catalogue import machine_types

pytestmark = pytest.mark.unit

TEXT = (Path(__file__).parents[3] / "docs" / "catalogue.md").read_text(encoding="utf-8")
PLANS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("plan", PLANS, ids=["aws", "gcp"])
def test_plans_of_the_guide_are_taken(plan: str) -> None:
    assert len(resolved(yaml.safe_load(plan))) >= 2


def test_every_family_is_in_the_tables() -> None:
    for machine in (*machine_types("aws"), *machine_types("gcp")):
        prefix = machine.name.split(".")[0] if machine.cloud == "aws" else machine.name[:2]
        assert prefix in TEXT, machine.name
