"""Projects of others, which have the wheel and nothing else of this repository."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cloud.harness.project import PACKAGES, steps_of, write_plugin
from tests.engine.harness.command import Command, Run
from tests.engine.harness.toolchain_environment import REPOSITORY, pulumi_environment

pytestmark = pytest.mark.cloud

EXAMPLES = sorted(each.parent for each in (REPOSITORY / "examples").glob("*/Pulumi.yaml"))
CLUSTERS = {
    "aws-gpu-cluster": "aws:eks/cluster:Cluster::gpu-example",
    "gcp-gpu-cluster": "gcp:container/cluster:Cluster::gpu-example",
}
EMBEDDED_PLATFORM = """
from pathlib import Path
from tidegate.local.platform import LocalPlatform, LocalPlatformArgs

arguments = LocalPlatformArgs(
    state_folder=Path.cwd() / "state",
    environment="test",
    stack_file="Pulumi.test.yaml",
    revisions=[],
    services=[],
)
LocalPlatform("platform", arguments)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; all else in it is what the tests' own environment has."""
    root = tmp_path_factory.mktemp("installed")
    hatchling = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(root)]
    subprocess.run(hatchling, cwd=REPOSITORY, check=True)
    (wheel,) = root.glob("*.whl")
    environment = root / "venv"
    venv.create(environment, symlinks=True)
    # Its folder as a path alone: what is installed there in place, such as this repository, is not
    # found through it.
    (libraries,) = environment.glob("lib/python*/site-packages")
    (libraries / "of-the-tests.pth").write_text(sysconfig.get_path("purelib"))
    pip(environment, "--no-deps", "--ignore-installed", str(wheel))
    (library,) = libraries.glob("tidegate/__init__.py")
    found = [
        str(environment / "bin" / "python"),
        "-I",
        "-c",
        "import tidegate as t; print(t.__file__)",
    ]
    assert subprocess.check_output(found, text=True).strip() == str(library)
    return environment


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_an_example_is_previewed_with_the_wheel_alone(
    installed: Path, example: Path, tmp_path: Path, sdk_cache: Path
) -> None:
    # Nothing is downloaded: this fails when an extra does not bring what the example imports.
    pip(installed, "-r", str(example / "requirements.txt"))
    shutil.copytree(example, tmp_path / "p")
    project = InstalledProject(tmp_path, installed, sdk_cache)

    steps = steps_of(project.pulumi("preview", "--json").output)

    assert {operation for operation, _ in steps} == {"create"}
    assert any(urn.endswith(CLUSTERS[example.name]) for _, urn in steps)


def test_an_installed_plugin_serves_a_program_that_has_only_the_wheel(
    installed: Path, tmp_path: Path, sdk_cache: Path
) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__main__.py").write_text(EMBEDDED_PLATFORM)
    (tmp_path / "p" / "Pulumi.yaml").write_text(
        "name: outside\nruntime: {name: python, options: {virtualenv: .venv}}\n"
    )
    project = InstalledProject(tmp_path, installed, sdk_cache)
    without = project.start("preview").wait()
    assert not without.succeeded
    assert "pulumi-resource-tidegate" in without.output

    said = project.run(str(installed / "bin" / "tidegate"), "plugin", "install")

    assert "is installed" in said
    assert f"tidegate  resource  {version('tidegate')}" in project.pulumi("plugin", "ls").output
    steps = steps_of(project.pulumi("preview", "--json").output)
    assert any("tidegate:index:Gateway::" in urn for _, urn in steps)


class InstalledProject:
    """The project in `root/p`, with an environment, a stack and recorded clouds."""

    def __init__(self, root: Path, installed: Path, sdk_cache: Path) -> None:
        self._root, self._log_count = root, 0
        (root / "p" / ".venv").symlink_to(installed)
        plugins = root / "bin"
        for package in PACKAGES:
            write_plugin(plugins, package, root / "cloud", sdk_cache)
        whole = pulumi_environment(root / "pulumi-home", root / "backend")
        hidden = ("PYTHONPATH", "VIRTUAL_ENV")
        self._environment = {name: whole[name] for name in whole if name not in hidden}
        self._environment["PATH"] = os.pathsep.join([str(plugins), *without_tidegate(whole)])
        self.pulumi("stack", "init", "test")

    def start(self, *arguments: str) -> Command:
        self._log_count += 1
        log = self._root / f"{self._log_count:03d}-{arguments[0]}.log"
        words = (*arguments, "--non-interactive", "--color", "never")
        return Command(words, self._root / "p", self._environment, log)

    def pulumi(self, *arguments: str) -> Run:
        run = self.start(*arguments).wait()
        assert run.succeeded, run.output
        return run

    def run(self, *words: str) -> str:
        """Output of another program that runs as the project's user would run it."""
        return subprocess.run(
            words, cwd=self._root / "p", env=self._environment, check=True, stdout=subprocess.PIPE
        ).stdout.decode()


def without_tidegate(environment: dict[str, str]) -> list[str]:
    """Folders of the PATH in which the engine finds no provider of this repository."""
    folders = environment["PATH"].split(os.pathsep)
    return [each for each in folders if not (Path(each) / "pulumi-resource-tidegate").exists()]


def pip(environment: Path, *arguments: str) -> None:
    """Install from what is on this machine."""
    into = ["--python", str(environment / "bin" / "python")]
    subprocess.run(
        [sys.executable, "-m", "pip", *into, "install", "--no-index", *arguments], check=True
    )
