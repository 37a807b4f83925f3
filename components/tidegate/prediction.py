"""One real request through the gateway, with an example of the live release's golden set."""

from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

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
    """Ask the gateway (a URL) for one golden example, KServe v2 JSON.

    Raises PredictionError.
    """
    inputs = {name: values[example : example + 1] for name, values in golden.inputs.items()}
    url = f"{gateway}/v2/models/{signature.name}/infer"
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
        response = httpx.post(url, json=body, timeout=TIMEOUT_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        raise PredictionError(f"{url} does not answer: {error}") from error
    if response.status_code != httpx.codes.OK:
        raise PredictionError(f"{url} answers {response.status_code}: {response.text}")
    names = (REVISION_HEADER, "x-request-id", "x-envoy-upstream-service-time")
    return Prediction(
        inputs=inputs,
        outputs={each["name"]: each["data"] for each in response.json()["outputs"]},
        expected={name: values[example] for name, values in golden.outputs.items()},
        truth=golden.truth[example],
        headers={name: response.headers.get(name, "") for name in names},
        url=url,
    )


def picture(image: NDArray[Any], maximum: float) -> str:
    """A grey image of shape (rows, columns), values 0 to `maximum`, as lines of text."""
    levels = np.clip(image / maximum * (len(SHADES) - 1), 0, len(SHADES) - 1).astype(int)
    return "\n".join("".join(SHADES[level] * 2 for level in row) for row in levels)
