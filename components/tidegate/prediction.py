"""One real request through the gateway, with an example of the live release's golden set."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate import loopback
from tidegate.loopback import NoAnswerError
from tidegate.spec.golden import GoldenData
from tidegate.spec.signature import ModelSignature
from tidegate.traffic.routes import REVISION_HEADER

SHADES = " .:-=+*#%@"
TIMEOUT_SECONDS = 10.0


class PredictionError(Exception):
    """The gateway did not answer as it should; the message says what it answered."""


@dataclass(frozen=True)
class Prediction:
    """A question and its answer; `headers` are the gateway's own."""

    inputs: dict[str, NDArray[Any]]
    outputs: dict[str, Any]
    expected: dict[str, NDArray[Any]]
    truth: Any
    headers: dict[str, str]
    url: str


def predict(
    gateway: str, signature: ModelSignature, golden: GoldenData, example: int
) -> Prediction:
    """Ask the gateway (host:port) for one golden example, KServe v2 JSON.

    Raises PredictionError.
    """
    inputs = {name: values[example : example + 1] for name, values in golden.inputs.items()}
    path = f"/v2/models/{signature.name}/infer"
    body = {
        "inputs": [
            {
                "name": tensor.name,
                "datatype": tensor.datatype,
                "shape": list(inputs[tensor.name].shape),
                "data": inputs[tensor.name].ravel().tolist(),
            }
            for tensor in signature.inputs
        ]
    }
    try:
        answer = loopback.request("POST", gateway, path, TIMEOUT_SECONDS, json.dumps(body))
    except NoAnswerError as error:
        raise PredictionError(str(error)) from error
    if answer.status != HTTPStatus.OK:
        raise PredictionError(f"{gateway}{path} answers {answer.status}: {answer.text}")
    names = (REVISION_HEADER, "x-request-id", "x-envoy-upstream-service-time")
    return Prediction(
        inputs=inputs,
        outputs={each["name"]: each["data"] for each in json.loads(answer.text)["outputs"]},
        expected={name: values[example] for name, values in golden.outputs.items()},
        truth=golden.truth[example],
        headers={name: answer.headers.get(name, "") for name in names},
        url=f"http://{gateway}{path}",
    )


def picture(image: NDArray[Any], maximum: float) -> str:
    """A grey image of shape (rows, columns), values 0 to `maximum`, as lines of text."""
    levels = np.clip(image / maximum * (len(SHADES) - 1), 0, len(SHADES) - 1).astype(int)
    return "\n".join("".join(SHADES[level] * 2 for level in row) for row in levels)
