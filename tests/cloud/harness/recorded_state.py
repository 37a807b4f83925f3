"""A stack as a release left it: the part of its state that a preview of later code needs."""

import gzip
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from tidegate.provider.values import SECRET_SIGNATURE

OF_ONE_RUN = ("created", "modified", "sourcePosition", "stackTrace")
PROVIDER = "pulumi:providers:"
BEGINNING = "0001-01-01T00:00:00Z"


def reduced(export: Mapping[str, Any]) -> dict[str, Any]:
    """The export without what differs from run to run: equal for two runs of the same program.

    Times, places in the source and paths of plugins go, secret outputs too. Raises ValueError for
    a secret among inputs, which a preview needs and a repository must not have.
    """
    deployment = export["deployment"]
    told = {key: deployment["manifest"][key] for key in ("magic", "version")}
    resources = _ordered([_plain(each) for each in deployment["resources"]])
    return {
        "version": export["version"],
        "deployment": {
            "manifest": {"time": BEGINNING, **told},
            "resources": _with_lasting_ids(resources),
        },
    }


def renamed(export: Mapping[str, Any], urn: str, name: str) -> dict[str, Any]:
    """The state of a program that had another name for this resource."""
    other = f"{urn.rpartition('::')[0]}::{name}"
    return dict(json.loads(json.dumps(export).replace(f'"{urn}"', f'"{other}"')))


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Equal records give equal bytes."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def read_record(path: Path) -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(path.read_bytes())))


def _plain(resource: Mapping[str, Any]) -> dict[str, Any]:
    if SECRET_SIGNATURE in json.dumps(resource.get("inputs")):
        raise ValueError(f"{resource['urn']} has a secret among its inputs")
    kept = {name: value for name, value in resource.items() if name not in OF_ONE_RUN}
    outputs = kept.get("outputs") or {}
    kept["outputs"] = {
        name: value for name, value in outputs.items() if SECRET_SIGNATURE not in json.dumps(value)
    }
    kept["dependencies"] = sorted(kept.get("dependencies") or ())
    by_property = kept.get("propertyDependencies") or {}
    kept["propertyDependencies"] = {name: sorted(urns or ()) for name, urns in by_property.items()}
    return kept


def _ordered(resources: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a resource needs comes before it, and URNs decide about the rest."""
    by_urn = {each["urn"]: each for each in resources}
    graph = {urn: set(_needs(each)) & by_urn.keys() for urn, each in by_urn.items()}
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    found: list[dict[str, Any]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found.extend(by_urn[urn] for urn in ready)
        sorter.done(*ready)
    return found


def _needs(resource: Mapping[str, Any]) -> Iterator[str]:
    yield from (resource[name] for name in ("parent", "deletedWith") if resource.get(name))
    yield resource.get("provider", "").rpartition("::")[0]
    yield from resource["dependencies"]
    for urns in resource["propertyDependencies"].values():
        yield from urns


def _with_lasting_ids(resources: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The engine gives every provider a random id; here it follows from the URN."""
    text = json.dumps(resources)
    for each in resources:
        if each["type"].startswith(PROVIDER):
            text = text.replace(each["id"], str(uuid.uuid5(uuid.NAMESPACE_URL, each["urn"])))
    return list(json.loads(text))
