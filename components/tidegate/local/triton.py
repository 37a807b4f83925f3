"""How Triton is started from the `nvidia-pytriton` distribution."""

import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from tidegate.local.ports import LOOPBACK

DISTRIBUTION = "nvidia-pytriton"
EXIT_TIMEOUT_SECONDS = 10


class TritonNotInstalledError(Exception):
    """The distribution or its Python backend for this interpreter is missing."""


@dataclass(frozen=True)
class TritonPorts:
    """Ports of one Triton on loopback."""

    http: int
    grpc: int
    metrics: int


def server_folder() -> Path:
    """Folder of the distribution's Triton. Raises `TritonNotInstalledError`."""
    found = importlib.util.find_spec("pytriton")  # importing it would patch and start things
    if found is None or found.origin is None:
        raise TritonNotInstalledError(
            f"{DISTRIBUTION} is not installed; install tidegate with its `local` extra"
        )
    return Path(found.origin).parent / "tritonserver"


def server_version() -> str:
    return version(DISTRIBUTION)


@cache
def server_digest() -> str:
    """Digest of the server binary as "sha256:<hex>"."""
    with (server_folder() / "bin" / "tritonserver").open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def prepare_backends(folder: Path) -> None:
    """Lay out a backend directory of links into the distribution, with this Python's stub."""
    triton = server_folder()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = triton / "python_backend_stubs" / python / "triton_python_backend_stub"
    if not stub.exists():
        raise TritonNotInstalledError(
            f"{DISTRIBUTION} {server_version()} has no Python backend for Python {python}; "
            "use Python 3.11 or 3.12"
        )
    backend = folder / "python"
    backend.mkdir(parents=True, exist_ok=True)
    for source in (
        triton / "backends" / "python" / "libtriton_python.so",
        triton / "backends" / "python" / "triton_python_backend_utils.py",
        stub,
    ):
        link = backend / source.name
        if not (link.is_symlink() and link.readlink() == source):
            link.unlink(missing_ok=True)
            link.symlink_to(source)


def command(
    repository: Path, backends: Path, ports: TritonPorts, shared_memory_prefix: str
) -> list[str]:
    """Command line of a Triton that serves one immutable repository on loopback.

    The Python backend's shared memory files start with the prefix, so that what a killed server
    leaves behind can be told from what another one uses.
    """
    return [
        str(server_folder() / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--model-control-mode=none",
        "--disable-auto-complete-config",
        f"--http-address={LOOPBACK}",
        f"--http-port={ports.http}",
        f"--grpc-address={LOOPBACK}",
        f"--grpc-port={ports.grpc}",
        f"--metrics-address={LOOPBACK}",
        f"--metrics-port={ports.metrics}",
        "--allow-gpu-metrics=false",
        "--pinned-memory-pool-byte-size=0",
        f"--backend-config=python,shm-region-prefix-name={shared_memory_prefix}",
        f"--exit-timeout-secs={EXIT_TIMEOUT_SECONDS}",
    ]


def environment() -> Mapping[str, str]:
    """Environment of the server.

    The Python backend embeds an isolated interpreter: it takes its packages from the `python`
    that comes first on PATH and needs that interpreter's shared library.
    """
    return {
        "PATH": f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin",
        "LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR")),
    }


def shared_memory_files(prefix: str) -> list[Path]:
    """Files in shared memory whose names start with the prefix."""
    return sorted(Path("/dev/shm").glob(f"{prefix}*"))  # noqa: S108  # where the kernel has it
