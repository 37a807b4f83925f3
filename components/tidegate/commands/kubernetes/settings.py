"""How a stack file says which cluster is its platform."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from tidegate.commands.pulumi_update import Engine, PulumiError
from tidegate.spec.errors import SpecError
from tidegate.spec.image_names import in_registry, needs_registry
from tidegate.spec.refusals import shape_error
from tidegate.spec.runner_pods import RunnerPods
from tidegate.stack_file import StackFile

KEY = "tidegate:platform.kubernetes"


class ClusterSettings(BaseModel):
    """As much of the platform's settings as commands need; `pulumi preview` checks all of them."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )

    kubeconfig: str | None = None
    context: str | None = None
    cluster_stack: str | None = None
    namespace: str
    runner_image: str
    evidence: str | None = None
    evidence_endpoint: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    runner: RunnerPods = RunnerPods()


def cluster_settings(file: StackFile) -> ClusterSettings:
    """Raises SpecError for keys that are missing or no text."""
    try:
        return ClusterSettings.model_validate(file.setting("platform")["kubernetes"])
    except ValidationError as error:
        raise shape_error(error, f"{file.path.name}: {KEY}") from error


def kubeconfig_of(
    settings: ClusterSettings, file: StackFile, project: Path, stack: str
) -> str | None:
    """Path or content, which is a secret; None for what `kubectl` uses.

    A cluster that this stack or another one makes is known by that stack's outputs. Raises
    SpecError when they cannot be read.
    """
    maker = _maker(settings, file, stack)
    if maker is None:
        if settings.kubeconfig is None:
            return None
        return str(project / Path(settings.kubeconfig).expanduser())
    return _output(project, maker, "kubeconfig")


def runner_image_of(settings: ClusterSettings, file: StackFile, project: Path, stack: str) -> str:
    """With the registry that it is in. Raises SpecError as `kubeconfig_of`."""
    maker = _maker(settings, file, stack)
    if maker is None or not needs_registry(settings.runner_image):
        return settings.runner_image
    return in_registry(_output(project, maker, "registryUrl"), settings.runner_image)


def _maker(settings: ClusterSettings, file: StackFile, stack: str) -> str | None:
    """The stack that made the cluster, if one of Pulumi's did."""
    return settings.cluster_stack or (stack if file.setting("cluster") is not None else None)


def _output(project: Path, maker: str, name: str) -> str:
    try:
        return Engine(project, maker).output(name)
    except PulumiError as error:
        raise SpecError(
            name,
            maker,
            f"the stack's output `{name}` cannot be read: {error}",
            "a stack that has made its cluster, and a `pulumi login` to where its state is",
        ) from error
