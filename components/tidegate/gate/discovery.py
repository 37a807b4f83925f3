"""What a server says about its models, for runs that bring no golden set of their own."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.spec.errors import SpecError
from tidegate.spec.golden import GoldenData, save_golden
from tidegate.spec.signature import Datatype, ModelSignature, TensorSpec

RECORDED_EXAMPLES = 16
_TIMEOUT_SECONDS = 5.0
_SHOWN = 200
_SEED = 20261122


def discover(endpoint: Endpoint, model: str | None, version: str | None) -> ModelSignature:
    """The signature of a model by the server's own metadata.

    Without a name the server must have one model that is ready. Raises SpecError.
    """
    if model is None:
        model = _only_model(endpoint)
    content = _ask(endpoint, "GET", f"/v2/models/{model}")
    versions = sorted(map(str, content.get("versions") or []), key=lambda each: (len(each), each))
    if version is None and not versions:
        raise SpecError(
            "modelVersion", None, f"the server names no version of {model}", "--model-version"
        )
    return ModelSignature(
        name=model,
        version=version or versions[-1],
        inputs=tuple(_tensor(each) for each in content.get("inputs", [])),
        outputs=tuple(_tensor(each) for each in content.get("outputs", [])),
    )


def record_golden(endpoint: Endpoint, signature: ModelSignature, path: Path) -> None:
    """Write the server's answers to seeded inputs as a golden set.

    It shows whether answers change or break under load, not whether they are right. Raises
    SpecError when the server refuses the inputs.
    """
    generator = np.random.default_rng(_SEED)
    inputs: dict[str, NDArray[Any]] = {
        tensor.name: _values(tensor, generator) for tensor in signature.inputs
    }
    answers: dict[str, list[NDArray[Any]]] = {tensor.name: [] for tensor in signature.outputs}
    for example in range(RECORDED_EXAMPLES):
        described = [
            {
                "name": tensor.name,
                "datatype": tensor.datatype,
                "shape": [1, *tensor.shape[1:]],
                "data": inputs[tensor.name][example].ravel().tolist(),
            }
            for tensor in signature.inputs
        ]
        content = _ask(
            endpoint, "POST", f"/v2/models/{signature.name}/infer", {"inputs": described}
        )
        served = {each["name"]: each for each in content.get("outputs", [])}
        for tensor in signature.outputs:
            each = served.get(tensor.name)
            if each is None or not each.get("data"):
                raise SpecError(
                    "target",
                    endpoint.target,
                    f"its answer has no values for the output {tensor.name}",
                    "a server that answers",
                )
            values = np.asarray(each["data"], dtype=tensor.dtype)
            answers[tensor.name].append(values.reshape(each["shape"]))
    outputs = {name: np.concatenate(each) for name, each in answers.items()}
    truth = np.zeros(RECORDED_EXAMPLES, np.int64)
    save_golden(path, GoldenData(inputs=inputs, outputs=outputs, truth=truth))


def _only_model(endpoint: Endpoint) -> str:
    listed = _ask(endpoint, "POST", "/v2/repository/index", {})
    ready = sorted(
        {str(each["name"]) for each in listed if each.get("state", "READY") == "READY"}
        if isinstance(listed, list)
        else set()
    )
    if len(ready) != 1:
        raise SpecError(
            "model",
            None,
            f"the server has {len(ready)} models ({', '.join(ready)})",
            "--model with the name of one",
        )
    return ready[0]


def _ask(endpoint: Endpoint, method: str, path: str, content: object | None = None) -> Any:
    connection = http.client.HTTPConnection(endpoint.target, timeout=_TIMEOUT_SECONDS)
    body = None if content is None else json.dumps(content)
    try:
        connection.sock = endpoint.connected(_TIMEOUT_SECONDS)
        connection.request(method, path, body=body, headers=dict(endpoint.headers()))
        response = connection.getresponse()
        answer = response.read()
    except ssl.SSLError as error:
        raise _refused(endpoint, f"TLS failed ({error.reason or error})") from None
    except (OSError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise _refused(endpoint, f"it cannot be asked ({said})") from None
    finally:
        connection.close()
    if response.status != 200:
        shown = answer[:_SHOWN].decode(errors="replace")
        raise _refused(endpoint, f"{path} gives HTTP {response.status}: {shown}")
    try:
        return json.loads(answer)
    except ValueError:
        raise _refused(endpoint, f"{path} gives no JSON") from None


def _refused(endpoint: Endpoint, why: str) -> SpecError:
    return SpecError(
        "target", endpoint.target, why, "a running KServe v2 server, and a key when it asks for one"
    )


def _tensor(described: dict[str, Any]) -> TensorSpec:
    name, datatype = str(described.get("name")), str(described.get("datatype"))
    shape = [int(size) for size in described.get("shape", [])]
    if datatype not in get_args(Datatype) or not shape:
        raise SpecError(
            f"model: {name}",
            f"{datatype} {shape}",
            "inputs of that kind cannot be made up",
            "a golden set (--golden)",
        )
    rest = [max(size, 1) for size in shape[1:]]
    return TensorSpec.model_validate({"name": name, "datatype": datatype, "shape": [-1, *rest]})


def _values(tensor: TensorSpec, generator: np.random.Generator) -> NDArray[Any]:
    """Small values of any datatype: most models accept numbers from 0 to 1."""
    shape = (RECORDED_EXAMPLES, *tensor.shape[1:])
    if tensor.dtype.kind == "f":
        return generator.uniform(0.0, 1.0, shape).astype(tensor.dtype)
    return generator.integers(0, 2, shape).astype(tensor.dtype)
