"""`tidegate predict`."""

from typing import Annotated

import typer

from tidegate.commands.common import (
    ServiceArgument,
    StackOption,
    fail,
    local_stack,
    project_folder,
)
from tidegate.prediction import Prediction, PredictionError, picture, predict
from tidegate.spec.errors import SpecError
from tidegate.spec.golden import load_golden
from tidegate.spec.release import load_release


def predict_example(
    service: ServiceArgument,
    stack: StackOption = "local",
    example: Annotated[int, typer.Option(min=0, help="Row of the golden set.")] = 0,
) -> None:
    """Send one example of the live release's golden set through the gateway."""
    found = local_stack(stack)
    record = found.gateway.record()
    routes = {each.service: each for each in found.gateway.discovery.services()}
    live = routes[service].live_revision if service in routes else None
    slot = found.slots.record(live) if live is not None else None
    if record is None or slot is None:
        fail(
            f"service: '{service}' has no live revision in the stack '{stack}'. "
            f"Routed here: {', '.join(sorted(routes)) or 'nothing'}. Run `pulumi up` first."
        )
    serving_root = project_folder() / "serving"
    try:
        release = load_release(serving_root, service, slot.release)
        golden = load_golden(serving_root / release.golden.path, release.model)
        if example >= golden.count:
            fail(f"--example: {example} is too large; the golden set has {golden.count} rows.")
        answer = predict(record.address, release.model, golden, example)
    except (SpecError, PredictionError) as error:
        fail(str(error))
    _print(answer, release.model.inputs[0].maximum)


def _print(answer: Prediction, maximum: float | None) -> None:
    image = next(iter(answer.inputs.values()))[0]
    if image.ndim == 2 and maximum:
        typer.echo(picture(image, maximum))
    typer.echo(f"POST {answer.url}")
    for name, values in answer.outputs.items():
        shown = [round(value, 3) if isinstance(value, float) else value for value in values]
        typer.echo(f"  {name}: {shown}")
    typer.echo(f"  truth: {answer.truth}")
    for name, value in answer.headers.items():
        typer.echo(f"  {name}: {value}")
