from importlib.resources import files

import pytest

from tidegate.spec.catalogue import (
    GpuModel,
    MachineType,
    gpu_model,
    gpu_models,
    machine_type,
    machine_types,
)
from tidegate.spec.errors import SpecError

pytestmark = pytest.mark.unit

TYPES = [*machine_types("aws"), *machine_types("gcp")]


def test_data_is_packaged_beside_the_code() -> None:
    folder = files("tidegate.spec.catalogue")
    assert all(folder.joinpath(f"{name}.yaml").is_file() for name in ("aws", "gcp", "gpus"))


@pytest.mark.parametrize("machine", TYPES, ids=lambda each: str(each.name))
def test_every_type_has_a_source_and_sizes_that_go_together(machine: MachineType) -> None:
    assert machine.sources
    assert machine.capacity
    assert machine.gpu.of == gpu_model(machine.gpu.model)
    for layout in machine.efa:
        assert machine.network_cards is not None
        assert max(layout.cards) < machine.network_cards
    if machine.cloud == "gcp":
        assert machine.accelerator_type
        assert machine.boot_disks
    if machine.local_ssds is not None:
        assert machine.local_ssd_gib


@pytest.mark.parametrize("gpu", gpu_models(), ids=lambda each: str(each.model))
def test_instances_of_a_gpu_do_not_exceed_its_memory(gpu: GpuModel) -> None:
    """Profiles are named by rounded sizes, so a gigabyte less is allowed for each instance."""
    for profile, count in gpu.multi_instance.items():
        slices, size = profile.removesuffix("gb").split("g.")
        assert int(slices) * count <= 7
        assert (int(size) - 1) * count <= gpu.memory_gib


@pytest.mark.parametrize(
    ("name", "gpus", "memory_gib"),
    [
        ("p4d.24xlarge", 8, 40),
        ("p5.48xlarge", 8, 80),
        ("p5en.48xlarge", 8, 141),
        ("p6-b200.48xlarge", 8, 179),
        ("p6-b300.48xlarge", 8, 269),
        ("g6e.48xlarge", 8, 45),
        ("g7e.2xlarge", 1, 96),
    ],
)
def test_memory_of_well_known_types(name: str, gpus: int, memory_gib: int) -> None:
    machine = machine_type("aws", name)
    assert machine.gpu.count == gpus
    assert round(machine.gpu.memory_gib) == memory_gib


def test_unknown_name_gets_near_ones() -> None:
    with pytest.raises(SpecError) as caught:
        machine_type("gcp", "a3-mega-8g")
    assert "a3-megagpu-8g" in caught.value.instead
    with pytest.raises(SpecError) as caught:
        gpu_model("H100")
    assert "h100" in caught.value.instead
