"""Where things lie: folders of the project and of the user's tool cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Project:
    """The folders of one clone."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def venv_bin(self) -> Path:
        return self.venv / "bin"

    @property
    def go_modules(self) -> Path:
        return self.root / "toolchain" / "go"

    @property
    def setup(self) -> Path:
        """The folder of the set-up's lock and logs."""
        return self.root / ".tidegate" / "setup"

    @property
    def backend(self) -> Path:
        """The folder of the default Pulumi backend."""
        return self.root / ".tidegate" / "backend"


def tools_root(environ: Mapping[str, str], home: Path) -> Path:
    """Where built programs are kept, shared by all clones of the user.

    `TIDEGATE_TOOLS` wins, then the XDG base directory specification's cache folder.
    """
    if own := environ.get("TIDEGATE_TOOLS"):
        return Path(own).expanduser()
    cache = environ.get("XDG_CACHE_HOME") or str(home / ".cache")
    return Path(cache).expanduser() / "tidegate" / "tools"
