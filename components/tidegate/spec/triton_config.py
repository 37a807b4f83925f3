"""Triton's `config.pbtxt` for a model of the Python backend, from what its release says.

Complete, so that the server runs with --disable-auto-complete-config.
"""

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tidegate.spec.release import ServingSettings
from tidegate.spec.signature import ModelSignature, TensorSpec

# The first inferences of an ONNX Runtime session allocate and are slower than all later ones.
_WARM_UP_REQUESTS = 16


def config_pbtxt(signature: ModelSignature, settings: ServingSettings) -> str:
    """Shapes keep their batch dimension: with `max_batch_size` 0 Triton adds none."""
    config = model_config_pb2.ModelConfig(
        name=signature.name,
        backend="python",
        max_batch_size=settings.max_batch_size,
        input=[
            model_config_pb2.ModelInput(
                name=tensor.name, data_type=_triton_type(tensor), dims=tensor.shape
            )
            for tensor in signature.inputs
        ],
        output=[
            model_config_pb2.ModelOutput(
                name=tensor.name, data_type=_triton_type(tensor), dims=tensor.shape
            )
            for tensor in signature.outputs
        ],
        instance_group=[
            model_config_pb2.ModelInstanceGroup(
                count=settings.instances, kind=model_config_pb2.ModelInstanceGroup.KIND_CPU
            )
        ],
        model_warmup=[_warm_up(signature)],
    )
    config.version_policy.specific.versions.append(int(signature.version))
    for key, value in _parameters(signature, settings).items():
        config.parameters[key].string_value = value
    return text_format.MessageToString(config)


def _parameters(signature: ModelSignature, settings: ServingSettings) -> dict[str, str]:
    parameters = {"intra_op_num_threads": str(settings.intra_op_threads)}
    for tensor in signature.inputs:
        for bound, value in (("minimum", tensor.minimum), ("maximum", tensor.maximum)):
            if value is not None:
                parameters[f"{bound}.{tensor.name}"] = f"{value:g}"
    return parameters


def _warm_up(signature: ModelSignature) -> model_config_pb2.ModelWarmup:
    warm_up = model_config_pb2.ModelWarmup(
        name="one-example", batch_size=1, count=_WARM_UP_REQUESTS
    )
    for tensor in signature.inputs:
        entry = warm_up.inputs[tensor.name]
        entry.data_type = _triton_type(tensor)
        entry.dims.extend(1 if size == -1 else size for size in tensor.shape)
        entry.zero_data = True
    return warm_up


def _triton_type(tensor: TensorSpec) -> int:
    return int(model_config_pb2.DataType.Value(f"TYPE_{tensor.datatype}"))
