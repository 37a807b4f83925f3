"""Reads the catalogue's data files, which are packaged with this module."""

import difflib
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TypeVar, get_args

import yaml
from pydantic import JsonValue, ValidationError

from tidegate.spec.catalogue.machine_types import Cloud, Gpu, GpuModel, MachineType
from tidegate.spec.errors import SpecError
from tidegate.spec.refusals import shape_error
from tidegate.spec.signature import SpecModel

_Entry = TypeVar("_Entry")


class _GpuFile(SpecModel):
    sources: dict[str, str]
    gpus: dict[str, dict[str, JsonValue]]


class _Family(SpecModel):
    """`shared` is what its types have in common, unless a type has its own; `sources` are keys."""

    gpu: str
    sources: tuple[str, ...]
    shared: dict[str, JsonValue]
    types: dict[str, dict[str, JsonValue]]


class _CloudFile(SpecModel):
    reviewed: date
    cloud: Cloud
    sources: dict[str, str]
    families: dict[str, _Family]


def gpu_model(name: str) -> GpuModel:
    """Raises SpecError when no GPU has the name."""
    return _find(_gpu_models(), name, "model", "GPU model")


def gpu_models() -> tuple[GpuModel, ...]:
    return tuple(_gpu_models().values())


def machine_type(cloud: Cloud, name: str) -> MachineType:
    """Raises SpecError when the cloud's catalogue does not have the type."""
    if name in _types(cloud):
        return _types(cloud)[name]
    others = [other for other in get_args(Cloud) if other != cloud and name in _types(other)]
    if others:
        raise SpecError(
            "machineType",
            name,
            f"it is a type of {others[0]} and the cluster is on {cloud}",
            f"one of {cloud}, such as '{next(iter(_types(cloud)))}'",
        )
    return _find(_types(cloud), name, "machineType", f"machine type of {cloud}")


def machine_types(cloud: Cloud) -> tuple[MachineType, ...]:
    return tuple(_types(cloud).values())


def _find(known: dict[str, _Entry], name: str, field: str, what: str) -> _Entry:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = " or ".join(f"'{each}'" for each in near) or f"one of {', '.join(known)}"
    raise SpecError(field, name, f"the catalogue has no such {what}", hint)


@cache
def _gpu_models() -> dict[str, GpuModel]:
    content = _GpuFile.model_validate(_read("gpus"))
    return {
        name: GpuModel.model_validate({"model": name, **entry})
        for name, entry in content.gpus.items()
    }


@cache
def _cloud_file(cloud: Cloud) -> _CloudFile:
    return _CloudFile.model_validate(_read(cloud))


@cache
def _types(cloud: Cloud) -> dict[str, MachineType]:
    content = _cloud_file(cloud)
    found = {}
    for family, entry in content.families.items():
        shared: dict[str, JsonValue] = {
            **entry.shared,
            "sources": [content.sources[key] for key in entry.sources],
            "family": family,
            "cloud": cloud,
        }
        for name, own in entry.types.items():
            found[name] = _machine(name, entry.gpu, {**shared, **own})
    return found


def _machine(name: str, gpu: str, content: dict[str, JsonValue]) -> MachineType:
    gpus = Gpu.model_validate({"of": gpu_model(gpu), "count": content.pop("gpus")})
    try:
        return MachineType.model_validate({"name": name, "gpu": gpus, **content})
    except ValidationError as error:
        raise shape_error(error, f"catalogue: {name}") from error


def _read(name: str) -> object:
    text = files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)
