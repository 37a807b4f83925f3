"""Imports point one way (docs/architecture.md), and what must stay light stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "components" / "tidegate"
PLATFORMS = {"aws", "gcp", "onprem", "local", "kubernetes"}

# Parts that import no other one and that all others may import.
LEAVES = {"files", "lease", "loopback"}
# Part of the package → the parts that it may import beside itself and the leaves.
ALLOWED = {
    **{leaf: set[str]() for leaf in sorted(LEAVES)},
    "spec": set[str](),
    "gate": {"spec"},
    "traffic": {"gate", "spec"},
    "resources": {"spec"},
    "serving": {"gate", "resources", "spec", "traffic", "traffic.gateway_api"},
    "local": {"gate", "resources", "serving", "spec", "traffic"},
    "kubernetes": {"cluster", "gate", "resources", "serving", "spec"},
    "cluster": {"spec"},
    "records": {"cluster", "gate", "spec", "traffic"},
    "jobs": {"cluster", "gate", "records", "spec", "traffic"},
    "traffic.gateway_api": {"cluster", "gate", "spec", "traffic"},
    "runner": {"cluster", "gate", "records", "spec", "traffic", "traffic.gateway_api"},
    "provider": {
        "cluster",
        "gate",
        "jobs",
        "local",
        "records",
        "spec",
        "traffic",
        "traffic.gateway_api",
    },
}
# Folders inside a part that count as parts of their own.
INNER_PARTS = {"traffic.gateway_api"}
WITHOUT_PULUMI = LEAVES | {
    "spec",
    "gate",
    "traffic",
    "traffic.gateway_api",
    "cluster",
    "jobs",
    "records",
    "runner",
}


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything a module imports, inside functions as well."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def part_of(path: Path) -> str:
    """`spec` for spec/errors.py, `files` for files.py."""
    return part_named(path.relative_to(PACKAGE).with_suffix("").parts)


def part_named(names: Sequence[str]) -> str:
    inner = ".".join(names[:2])
    return inner if inner in INNER_PARTS else names[0]


def own_parts(path: Path) -> set[str]:
    own = (name.split(".")[1:] for name in imports(path) if name.startswith("tidegate."))
    return {part_named(names) for names in own} - {part_of(path)}


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


MODULES = sorted(PACKAGE.rglob("*.py"))


def modules_of(*parts: str) -> list[Path]:
    found = [path for path in MODULES if part_of(path) in parts]
    assert found
    return found


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_lies_below_it(part: str) -> None:
    for path in modules_of(part):
        assert own_parts(path) <= ALLOWED[part] | (set() if part in LEAVES else LEAVES), path


def test_platforms_do_not_know_each_other() -> None:
    for path in modules_of(*PLATFORMS):
        # What every cluster gets is shared by the clouds.
        assert not own_parts(path) & (PLATFORMS - {part_of(path), "kubernetes"}), path


def test_the_library_knows_nothing_of_the_program_the_tools_or_the_tests() -> None:
    program = {"settings", "declarations", "kubernetes_settings", "kubernetes_declarations"}
    outside = program | {"infra", "toolchain", "tests", "tidegate_rules"}
    for path in MODULES:
        assert not roots(path) & outside, path


def test_rules_and_the_gate_know_nothing_of_pulumi() -> None:
    for path in modules_of(*WITHOUT_PULUMI):
        assert "pulumi" not in roots(path), path


def test_the_provider_uses_of_the_embedded_platform_only_what_runs_without_an_engine() -> None:
    for path in modules_of("provider"):
        for name in imports(path):
            assert not name.startswith("tidegate.local.platform"), path


def test_commands_do_without_the_provider() -> None:
    for path in modules_of("commands"):
        assert "provider" not in own_parts(path), path


def test_policies_and_toolchain_do_not_import_the_program() -> None:
    for folder in ("policies", "toolchain"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not roots(path) & {"settings", "declarations", "infra"}, path


def loaded_by(*modules: str) -> set[str]:
    """Top-level packages in memory after a fresh interpreter has imported the modules."""
    program = (
        f"import sys, {', '.join(modules)}; print(*{{each.split('.')[0] for each in sys.modules}})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_gate_is_usable_without_pulumi_and_patches_nothing() -> None:
    spec = [
        f"tidegate.spec.{path.stem}"
        for path in (PACKAGE / "spec").glob("*.py")
        if path.stem[0] != "_"
    ]

    loaded = loaded_by("tidegate.gate", "tidegate.spec", *spec)

    assert not loaded & {"pulumi", "locust", "gevent"}


def test_the_provider_loads_no_load_generator_and_no_statistics() -> None:
    assert not loaded_by("tidegate.provider.__main__") & {"locust", "gevent", "numpy", "scipy"}
