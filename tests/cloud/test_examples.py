"""Projects of others, which have the wheel and nothing else of this repository."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.cloud.harness.project import PACKAGES, steps_of, write_plugin
from tests.cloud.harness.wheel_environment import make_environment, pip
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
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wheel")
    hatchling = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(root)]
    subprocess.run(hatchling, cwd=REPOSITORY, check=True)
    (built,) = root.glob("*.whl")
    return built


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.name)
def test_an_example_is_previewed_with_the_wheel_alone(
    wheel: Path, example: Path, tmp_path: Path, sdk_cache: Path
) -> None:
    """What its requirement does not bring, such as the cloud's SDK, is not there to import."""
    requirements = example / "requirements.txt"
    wanted = Requirement(requirements.read_text().strip())
    installed = make_environment(tmp_path / "venv", wheel, wanted.extras)
    pip(installed, "-r", str(requirements))
    shutil.copytree(example, tmp_path / "p")
    project = InstalledProject(tmp_path, installed, sdk_cache)
    assert "is installed" in project.run(str(installed / "bin" / "tidegate"), "plugin", "install")
    assert (
        '"tidegate:index:TrafficSwitch"'
        in project.pulumi("package", "get-schema", "tidegate").output
    )

    steps = steps_of(project.pulumi("preview", "--json").output)

    assert {operation for operation, _ in steps} == {"create"}
    assert any(urn.endswith(CLUSTERS[example.name]) for _, urn in steps)


def test_an_installed_plugin_serves_a_program_that_has_only_the_wheel(
    wheel: Path, tmp_path: Path, sdk_cache: Path
) -> None:
    installed = make_environment(tmp_path / "venv", wheel, ["local"])
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
