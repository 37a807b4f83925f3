import os
import sys
from pathlib import Path

import pytest

from tidegate.local import triton
from tidegate.local.triton import TritonNotInstalledError, TritonPorts

pytestmark = pytest.mark.unit

PORTS = TritonPorts(http=18001, grpc=18002, metrics=18003)


def options() -> dict[str, str]:
    command = triton.command(Path("/models"), Path("/backends"), PORTS, "tidegate-key-digits-")
    assert os.access(command[0], os.X_OK)
    return dict(each.removeprefix("--").split("=", 1) for each in command[1:] if "=" in each)


def test_every_port_is_on_loopback() -> None:
    found = options()

    for protocol, port in (("http", 18001), ("grpc", 18002), ("metrics", 18003)):
        assert found[f"{protocol}-address"] == "127.0.0.1"
        assert found[f"{protocol}-port"] == str(port)


def test_the_repository_is_served_as_it_is() -> None:
    found = options()

    assert found["model-repository"] == "/models"
    assert found["model-control-mode"] == "none"


def test_shared_memory_is_told_apart_by_its_prefix() -> None:
    assert options()["backend-config"] == "python,shm-region-prefix-name=tidegate-key-digits-"


def test_backends_are_links_with_the_stub_of_this_python(tmp_path: Path) -> None:
    for _ in range(2):  # the second time over the first
        triton.prepare_backends(tmp_path)

    names = {path.name for path in (tmp_path / "python").iterdir() if path.exists()}
    assert names == {
        "libtriton_python.so",
        "triton_python_backend_utils.py",
        "triton_python_backend_stub",
    }
    stub = (tmp_path / "python" / "triton_python_backend_stub").readlink()
    assert stub.parent.name == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_a_link_that_points_elsewhere_is_mended(tmp_path: Path) -> None:
    triton.prepare_backends(tmp_path)
    link = tmp_path / "python" / "libtriton_python.so"
    link.unlink()
    link.symlink_to("/nonexistent/libtriton_python.so")

    triton.prepare_backends(tmp_path)

    assert link.exists()


def test_a_python_without_a_stub_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "tritonserver"
    monkeypatch.setattr(triton, "server_folder", lambda: empty)

    with pytest.raises(TritonNotInstalledError, match=r"use Python 3\.11 or 3\.12"):
        triton.prepare_backends(tmp_path / "backends")


def test_the_servers_environment_names_this_interpreter_first() -> None:
    environment = triton.environment()

    assert environment["PATH"].startswith(f"{sys.prefix}/bin:")
    assert set(environment) == {"PATH", "LD_LIBRARY_PATH"}
