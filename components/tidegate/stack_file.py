"""Changes which releases a stack file declares, and leaves every other byte of it alone.

A YAML library that writes the whole file again would move comments, quotes and indentation that
are not its business, and the change is read in a review. So the parser only says where the
values stand, and they are replaced in the text.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tidegate.files import write_atomically
from tidegate.spec.errors import SpecError
from tidegate.spec.refusals import shape_error
from tidegate.spec.revision import Probes

NAMESPACE = "tidegate"
SERVICES_KEY = f"{NAMESPACE}:services"


@dataclass(frozen=True)
class ServiceReleases:
    """The releases that a stack file declares for one service, as `<service>@<release>`."""

    release: str
    standby: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The release that takes the traffic, then the standby if there is one."""
        return (self.release,) if self.standby is None else (self.release, self.standby)

    def swapped(self) -> "ServiceReleases | None":
        """Both lines exchanged; None when there is no standby."""
        return None if self.standby is None else ServiceReleases(self.standby, self.release)


class StackFile:
    """One stack file as text. Its methods raise SpecError for what cannot be read or changed."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text

    @classmethod
    def load(cls, path: Path) -> "StackFile":
        """Read a file. Raises SpecError when there is none."""
        try:
            return cls(path, path.read_bytes().decode("utf-8"))
        except FileNotFoundError:
            known = sorted(each.name for each in path.parent.glob("Pulumi.*.yaml"))
            raise SpecError(
                "--stack",
                path.name.removeprefix("Pulumi.").removesuffix(".yaml"),
                f"there is no {path}",
                f"name the stack of one of these files: {', '.join(known) or 'there is none'}",
            ) from None
        except UnicodeDecodeError as error:
            raise SpecError(
                str(path), None, f"it is no UTF-8 ({error})", "restore the file"
            ) from error

    def services(self) -> list[str]:
        """Names of the declared services."""
        return [key.value for key, _ in self._services().value]

    def releases(self, service: str) -> ServiceReleases:
        """What the file declares for the service."""
        entries = self._entries(service)
        release = entries.get("release")
        if release is None:
            raise SpecError(
                self._name(service), None, "it declares no release", "add `release: …` by hand"
            )
        standby = entries.get("standby")
        return ServiceReleases(
            self._scalar(service, release),
            None if standby is None else self._scalar(service, standby),
        )

    def setting(self, key: str) -> Any:
        """What the file says under `tidegate:<key>`, None when it does not have the key."""
        self._tree()  # explains what is no YAML
        config = (yaml.safe_load(self.text) or {}).get("config") or {}
        return config.get(f"{NAMESPACE}:{key}")

    def probes(self, service: str) -> Probes:
        """The service's probes, which are part of a revision's identity."""
        self._entries(service)
        written = yaml.safe_load(self.text)["config"][SERVICES_KEY][service].get("probes") or {}
        try:
            return Probes.model_validate(written)
        except ValidationError as error:
            raise shape_error(error, self._name(service, "probes"), written, Probes) from error

    def with_releases(self, service: str, wanted: ServiceReleases) -> "StackFile":
        """The same file with these releases; `path` is not written."""
        before = self.releases(service)
        entries = self._entries(service)
        changes = [_replacement(self.text, entries["release"].value, wanted.release)]
        if before.standby is None and wanted.standby is not None:
            changes.append(self._insertion(entries["release"], f"standby: {wanted.standby}"))
        elif before.standby is not None and wanted.standby is None:
            changes.append(self._removal(service, "standby"))
        elif wanted.standby is not None:
            changes.append(_replacement(self.text, entries["standby"].value, wanted.standby))
        text = self.text
        for change in sorted(changes, key=lambda each: each.begin, reverse=True):
            text = text[: change.begin] + change.text + text[change.end :]
        changed = StackFile(self.path, text)
        self._check(service, wanted, changed)
        return changed

    def difference_to(self, changed: "StackFile") -> list[str]:
        """The lines that differ, as a unified difference with file names and one line around."""
        name = f"stacks/{self.path.name}"
        return list(
            difflib.unified_diff(
                self.text.splitlines(), changed.text.splitlines(), name, name, n=1, lineterm=""
            )
        )

    def write(self) -> None:
        """Replace the file in one step; a symbolic link stays one."""
        write_atomically(self.path.resolve(), self.text)

    # -- reading ------------------------------------------------------------------------------

    def _services(self) -> yaml.MappingNode:
        node: Any = self._tree()
        for key in ("config", SERVICES_KEY):
            node = next((each for name, each in _pairs(node) if name.value == key), None)
        if not isinstance(node, yaml.MappingNode):
            raise SpecError(
                f"{self.path.name}: {SERVICES_KEY}",
                None,
                "the file does not declare services there as a mapping",
                "edit it by hand, see docs/settings.md",
            )
        return node

    def _tree(self) -> yaml.Node | None:
        try:
            tree: yaml.Node | None = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise SpecError(
                str(self.path), None, f"it is no YAML ({error})", "mend it by hand"
            ) from error
        return tree

    def _entries(self, service: str) -> Mapping[str, "_Entry"]:
        for name, node in _pairs(self._services()):
            if name.value == service:
                flow = isinstance(node, yaml.MappingNode) and bool(node.flow_style)
                return {key.value: _Entry(key, value, flow) for key, value in _pairs(node)}
        raise SpecError(
            "service",
            service,
            f"{self.path} declares no such service",
            f"one of: {', '.join(self.services()) or 'none is declared'}",
        )

    def _scalar(self, service: str, entry: "_Entry") -> str:
        if not isinstance(entry.value, yaml.ScalarNode):
            raise SpecError(
                self._name(service, entry.key.value), None, "it is no text", "edit it by hand"
            )
        return str(entry.value.value)

    def _name(self, service: str, *keys: str) -> str:
        return f"{self.path.name}: {'.'.join((SERVICES_KEY, service, *keys))}"

    # -- changing -----------------------------------------------------------------------------

    def _insertion(self, after: "_Entry", text: str) -> "_Change":
        """A pair of its own behind another one; a comment behind that stays with it."""
        end = after.value.end_mark.index
        if after.in_flow:
            return _Change(end, end, f", {text}")
        line_end = self._line_end(end)
        newline = "\r\n" if "\r\n" in self.text else "\n"
        return _Change(line_end, line_end, f"{newline}{' ' * after.key.start_mark.column}{text}")

    def _removal(self, service: str, key: str) -> "_Change":
        """The pair with its line; in `{…}` with the comma before or behind it."""
        entries = list(self._entries(service).values())
        place = next(index for index, each in enumerate(entries) if each.key.value == key)
        entry = entries[place]
        if not entry.in_flow:
            begin = self.text.rfind("\n", 0, entry.key.start_mark.index) + 1
            end = self._line_end(entry.value.end_mark.index)
            end += self.text[end : end + 2].startswith("\r\n") + (end < len(self.text))
            return _Change(begin, end, "")
        if place > 0:
            before = entries[place - 1].value.end_mark.index
            return _Change(before, entry.value.end_mark.index, "")
        behind = entries[place + 1].key.start_mark.index
        return _Change(entry.key.start_mark.index, behind, "")

    def _line_end(self, index: int) -> int:
        """Index of the line break behind `index`, or of the end of the text."""
        end = self.text.find("\n", index)
        if end < 0:
            return len(self.text)
        return end - 1 if self.text[end - 1] == "\r" else end

    def _check(self, service: str, wanted: ServiceReleases, changed: "StackFile") -> None:
        """The change must be this one and nothing else: aliases, anchors and such are refused."""
        expected = yaml.safe_load(self.text)
        entry = expected["config"][SERVICES_KEY][service]
        entry["release"] = wanted.release
        if wanted.standby is None:
            entry.pop("standby", None)
        else:
            entry["standby"] = wanted.standby
        try:
            found = yaml.safe_load(changed.text)
        except yaml.YAMLError:
            found = None
        if found != expected:
            raise SpecError(
                self._name(service),
                wanted.release,
                "the file is written in a way that this command cannot change safely "
                "(an anchor, an alias or a value over several lines)",
                "edit `release` and `standby` by hand",
            )


@dataclass(frozen=True)
class _Entry:
    """A key with its value; `in_flow` inside braces."""

    key: yaml.ScalarNode
    value: yaml.Node
    in_flow: bool


@dataclass(frozen=True)
class _Change:
    """Characters `begin` to `end` become `text`."""

    begin: int
    end: int
    text: str


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


def _replacement(text: str, node: yaml.Node, value: str) -> _Change:
    """The value in the quotes that the old one has."""
    begin, end = node.start_mark.index, node.end_mark.index
    quote = text[begin] if text[begin] in {"'", '"'} else ""
    return _Change(begin, end, f"{quote}{value}{quote}")
