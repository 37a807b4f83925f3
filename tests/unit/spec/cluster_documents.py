"""Plans of clusters as a user writes them, and what is said about one that cannot work."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tidegate.spec.cluster_plan import parse_cluster
from tidegate.spec.cluster_rules import check_cluster
from tidegate.spec.errors import SpecError
from tidegate.spec.refusals import Refused
from tidegate.spec.resolved_pool import ResolvedPool

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
Document = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A document with one fault: the field and value that the message names, and its mend."""

    name: str
    document: Document
    field: str
    value: object
    mend: str


def aws(*pools: Document, **changes: Any) -> Document:
    document = {
        "name": "prod",
        "cloud": "aws",
        "region": "us-east-2",
        "zones": ["us-east-2a", "us-east-2b", "us-east-2c"],
        "ownership": {"owner": "platform", "team": "serving", "environment": "prod"},
        "pools": list(pools),
    }
    return document | changes


def gcp(*pools: Document, **changes: Any) -> Document:
    document = {
        "name": "prod",
        "cloud": "gcp",
        "project": "acme-gpu",
        "region": "us-central1",
        "zones": ["us-central1-a", "us-central1-b", "us-central1-c"],
        "gkeVersion": "1.34.1-gke.1829001",
        "ownership": {"owner": "platform", "team": "serving", "environment": "prod"},
        "pools": list(pools),
    }
    return document | changes


def pool(machine_type: str, **changes: Any) -> Document:
    """A training pool of one zone's size that every cloud takes."""
    document = {
        "name": "gpus",
        "purpose": "training",
        "machineType": machine_type,
        "nodes": {"min": 0, "max": 3},
    }
    return document | changes


def resolved(document: Document) -> tuple[ResolvedPool, ...]:
    return check_cluster(parse_cluster(document), NOW)


def refusal(document: Document) -> SpecError:
    """The one finding; fails when the document is taken or has several faults."""
    with pytest.raises(SpecError) as caught:
        resolved(document)
    assert not isinstance(caught.value, Refused), str(caught.value)
    return caught.value


def check_refusal(case: Case) -> None:
    """The message names the field, the value, a reason and a mend."""
    error = refusal(case.document)
    assert error.field.endswith(case.field), error
    assert error.value == case.value
    assert case.mend in error.instead, error
    assert error.why
    for part in (error.field, repr(error.value), error.why, error.instead):
        assert part in str(error)
