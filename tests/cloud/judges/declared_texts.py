"""Every text that clusters' resources are declared with, by where it stands."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from tests.engine.harness.toolchain_environment import REPOSITORY
from tests.unit.spec.cluster_documents import Document

Place = tuple[str, str]
"""Type of a resource and the dotted path of a property in it, without the places in lists."""

Texts = Mapping[Place, frozenset[str]]

OF_USERS = {"labels", "metadata", "resourceLabels", "tags"}
"""Properties with keys of their own."""


def stacks_of(cloud: str) -> list[Document]:
    """Plans of the repository's clusters; a bucket for state is made of what they are made of."""
    files = sorted((REPOSITORY / "stacks").glob(f"Pulumi.{cloud}-*.yaml"))
    configured = [yaml.safe_load(each.read_text())["config"] for each in files]
    plans = [each["tidegate:cluster"] for each in configured if "tidegate:cluster" in each]
    assert plans
    return plans


def texts_of(resources: Iterable[tuple[str, Mapping[str, Any]]]) -> Texts:
    """Texts by place, of types and inputs."""
    found: dict[Place, set[str]] = {}
    for type_token, inputs in resources:
        for path, value in _leaves(inputs):
            if isinstance(value, str) and not OF_USERS & set(path[:-1]):
                found.setdefault((type_token, ".".join(path)), set()).add(value)
    return {place: frozenset(texts) for place, texts in found.items()}


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Message):
        value = MessageToDict(value)
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, (*path, name))
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, path)
    else:
        yield path, value
