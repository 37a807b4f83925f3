"""What every component of tidegate keeps to, those of tomorrow included."""

import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any

import pulumi
import pytest

import tidegate
from tests.unit.components.examples import EXAMPLES, cloud_options
from tests.unit.components.recording import Recording, Registration, record

pytestmark = pytest.mark.unit

Component = type[pulumi.ComponentResource]


def components() -> list[Component]:
    """Every component class that a module of the package defines."""
    found: set[Component] = set()
    for module in pkgutil.walk_packages(tidegate.__path__, "tidegate."):
        if module.name.startswith("tidegate.gate.") or module.name.endswith("__main__"):
            continue  # imports no Pulumi, see test_imports.py; a program
        for each in vars(importlib.import_module(module.name)).values():
            if (
                inspect.isclass(each)
                and issubclass(each, pulumi.ComponentResource)
                and each.__module__.startswith("tidegate.")
            ):
                found.add(each)
    return sorted(found, key=lambda each: each.__name__)


each_component = pytest.mark.parametrize("component", components(), ids=lambda each: each.__name__)


def type_token(component: Component) -> str:
    return f"tidegate:{component.__module__.split('.')[1]}:{component.__name__}"


def recorded(component: Component) -> tuple[Recording, Registration]:
    constructor: Any = component
    recording = record(
        lambda: constructor("example", EXAMPLES[component][1](), cloud_options(component))
    )
    return recording, recording.only(type_token(component), "example")


def test_there_are_components() -> None:
    assert {"InferenceService", "LocalPlatform"} <= {each.__name__ for each in components()}


@each_component
def test_it_has_an_example(component: Component) -> None:
    assert component in EXAMPLES, f"write one for {component.__name__} in examples.py"


@each_component
def test_its_arguments_are_one_frozen_keyword_only_dataclass(component: Component) -> None:
    arguments: Any = EXAMPLES[component][0]
    parameters = list(inspect.signature(component.__init__).parameters.values())

    assert [each.name for each in parameters] == ["self", "name", "args", "opts"]
    assert parameters[2].annotation in {arguments, arguments.__name__}
    assert arguments.__name__ == f"{component.__name__}Args"
    assert arguments.__dataclass_params__.frozen
    assert all(each.kw_only for each in dataclasses.fields(arguments))


@each_component
def test_it_and_its_arguments_are_documented(component: Component) -> None:
    for documented in (component, EXAMPLES[component][0]):
        text = documented.__doc__ or ""
        assert len(text.split()) >= 5, documented
        assert not text.startswith(f"{documented.__name__}("), documented  # dataclass's own


@each_component
def test_its_type_token_names_module_and_class(component: Component) -> None:
    _, registration = recorded(component)  # which finds it by that token

    assert not registration.custom


@each_component
def test_it_registers_the_outputs_that_it_declares(component: Component) -> None:
    recording, registration = recorded(component)
    declared = {
        name
        for name, annotation in inspect.get_annotations(component).items()
        if "Output" in str(annotation)
    }
    instance_names = {
        "".join([head, *(part.capitalize() for part in rest)])
        for head, *rest in (name.split("_") for name in declared)
    }

    assert recording.with_outputs[registration.urn] == instance_names


@each_component
def test_all_it_makes_is_below_it(component: Component) -> None:
    recording, registration = recorded(component)
    before = record(lambda: (EXAMPLES[component][1](), cloud_options(component)))
    arguments = {each.urn for each in before.resources}
    made = [each for each in recording.resources if each.urn not in arguments | {registration.urn}]

    assert made
    for each in made:
        assert recording.is_below(each, registration.urn), each.urn


@each_component
def test_nothing_it_makes_has_the_default_provider(component: Component) -> None:
    recording, _ = recorded(component)
    children = [each for each in recording.resources if each.custom and not each.is_provider]

    assert children
    for each in children:
        urn = each.provider.rpartition("::")[0]
        assert any(made.urn == urn and made.is_provider for made in recording.resources), each.name


@each_component
def test_it_reads_no_configuration(component: Component, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a component reads pulumi.Config; infra/settings.py does that")

    for name in ("__init__", "get", "require", "get_object", "require_object"):
        monkeypatch.setattr(pulumi.Config, name, refuse)
    monkeypatch.setattr(pulumi.runtime.config, "get_config", refuse)

    recorded(component)


@each_component
def test_no_secret_is_an_output(component: Component) -> None:
    recording, registration = recorded(component)

    for name in recording.with_outputs[registration.urn]:
        assert not any(word in name.lower() for word in ("secret", "password", "token"))
