import pytest

from tidegate.spec.catalogue import machine_type
from tidegate.spec.errors import SpecError
from tidegate.spec.sharing import Sharing
from tidegate.spec.sizing import (
    ModelMemory,
    Parallelism,
    TransformerShape,
    check_fit,
    fits,
    gpu_memory_needed,
)

pytestmark = pytest.mark.unit

# Llama 3.1 70B, from its published configuration; 100 000 tokens in the cache.
LLAMA_70B = TransformerShape(
    parameters=70.6e9,
    layers=80,
    attention_heads=64,
    kv_heads=8,
    head_size=128,
    tokens=100_000,
)
P5 = machine_type("aws", "p5.48xlarge")
L4 = machine_type("aws", "g6.xlarge")


def test_memory_of_a_known_model() -> None:
    memory = LLAMA_70B.memory()
    assert memory.weights_gib == pytest.approx(131.5, abs=0.1)
    # 2 x 80 layers x 8 heads x 128 x 2 bytes are 320 KiB for each token.
    assert memory.cache_gib == pytest.approx(100_000 * 320 / 1024**2, rel=1e-6)


def test_more_gpus_hold_less_each_until_every_gpu_has_one_head() -> None:
    memory = LLAMA_70B.memory()
    needed = [gpu_memory_needed(memory, Parallelism(tensor=each)) for each in (1, 2, 4, 8)]
    assert needed == sorted(needed, reverse=True)
    eight, sixteen = (gpu_memory_needed(memory, Parallelism(tensor=each)) for each in (8, 16))
    assert eight - sixteen == pytest.approx(memory.weights_gib / 16)


def test_fits_tells_what_is_needed_and_there() -> None:
    two = fits(LLAMA_70B.memory(), Parallelism(tensor=2), P5)
    assert not two.fits
    four = fits(LLAMA_70B.memory(), Parallelism(tensor=4), P5)
    assert four.fits
    assert four.usable_gib == pytest.approx(72)
    assert four.nodes == 1
    assert fits(LLAMA_70B.memory(), Parallelism(tensor=8, pipeline=2), P5).nodes == 2


def test_too_large_a_model_is_refused_with_a_parallelism_that_works() -> None:
    with pytest.raises(SpecError) as caught:
        check_fit(LLAMA_70B.memory(), Parallelism(tensor=2), P5)
    assert "tensor: 4" in caught.value.instead
    assert check_fit(LLAMA_70B.memory(), Parallelism(tensor=4), P5).fits


def test_nothing_is_promised_where_no_parallelism_helps() -> None:
    with pytest.raises(SpecError) as caught:
        check_fit(ModelMemory(weights_gib=200), Parallelism(), L4)
    assert "larger GPUs" in caught.value.instead


@pytest.mark.parametrize(
    ("parallelism", "field", "mend"),
    [
        (Parallelism(tensor=3), "parallelism.tensor", "a divisor of 64"),
        (Parallelism(tensor=16), "parallelism.tensor", "tensor: 8 with pipeline: 2"),
        (Parallelism(tensor=8, pipeline=81), "parallelism.pipeline", "at most 80"),
    ],
)
def test_divisions_that_cannot_be(parallelism: Parallelism, field: str, mend: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_fit(LLAMA_70B.memory(), parallelism, P5)
    assert caught.value.field == field
    assert mend in caught.value.instead


def test_an_instance_of_a_gpu_has_its_own_memory() -> None:
    sharing = Sharing(mig_profile="1g.10gb")
    assert fits(ModelMemory(weights_gib=7), Parallelism(), P5, sharing).fits
    with pytest.raises(SpecError) as caught:
        check_fit(ModelMemory(weights_gib=9), Parallelism(), P5, sharing)
    assert "larger MIG profile" in caught.value.instead
    with pytest.raises(SpecError, match="whole ones"):
        check_fit(ModelMemory(weights_gib=9), Parallelism(tensor=2), P5, sharing)


def test_clients_divide_the_memory() -> None:
    half = fits(ModelMemory(weights_gib=30), Parallelism(), P5, Sharing(strategy="mps", clients=2))
    assert half.usable_gib == pytest.approx(36)
