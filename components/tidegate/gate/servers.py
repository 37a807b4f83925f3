"""Which servers stand behind a target for metrics: each one counts its own requests only."""

from collections.abc import Mapping
from pathlib import Path

from tidegate.files import read_json, write_json

Servers = Mapping[str, str]
"""host:port of each server's metrics, by its name."""

_FILE = "servers.json"


def write_servers(run_dir: Path, by_target: Mapping[str, Servers]) -> None:
    """Tell a run, as often as it changes, who is behind its targets for metrics."""
    write_json(run_dir / _FILE, by_target)


def servers_behind(run_dir: Path, target: str) -> Servers:
    """The target itself, where nobody says that it is a name for others."""
    told = read_json(run_dir / _FILE) or {}
    return dict(told.get(target, {target: target}))
