import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tidegate.spec.release import ModelSignature, ServingSettings
from tidegate.spec.triton_config import config_pbtxt

pytestmark = pytest.mark.unit


def test_config_says_what_the_release_says(signature: ModelSignature) -> None:
    settings = ServingSettings(instances=2, intra_op_threads=3, max_batch_size=0)
    text = config_pbtxt(signature, settings)
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    (tensor,) = config.input
    assert (config.name, config.backend, config.max_batch_size) == ("sums", "python", 0)
    assert (tensor.name, list(tensor.dims)) == ("x", [-1, 2])
    assert tensor.data_type == model_config_pb2.TYPE_UINT8
    assert [output.name for output in config.output] == ["y"]
    assert config.instance_group[0].count == 2
    assert list(config.version_policy.specific.versions) == [1]
    assert {key: value.string_value for key, value in config.parameters.items()} == {
        "intra_op_num_threads": "3",
        "minimum.x": "0",
        "maximum.x": "9",
    }


def test_warm_up_sends_one_valid_example(signature: ModelSignature) -> None:
    settings = ServingSettings(instances=1, intra_op_threads=1, max_batch_size=0)
    config = text_format.Parse(config_pbtxt(signature, settings), model_config_pb2.ModelConfig())
    (warm_up,) = config.model_warmup
    assert list(warm_up.inputs["x"].dims) == [1, 2]
    assert warm_up.inputs["x"].zero_data
