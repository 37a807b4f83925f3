"""The text format in which Envoy writes its statistics for Prometheus."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Sample:
    """One line: "envoy_cluster_upstream_rq_active{envoy_cluster_name="…"} 3"."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str) -> Iterator[Sample]:
    """Every sample; comments and lines that are none are left out."""
    for line in text.splitlines():
        found = _SAMPLE.fullmatch(line.strip()) if not line.startswith("#") else None
        if found is not None:
            labels = {name: _plain(value) for name, value in _LABEL.findall(found[2] or "")}
            yield Sample(found[1], labels, float(found[3]))


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], value)
