import pytest

from tests.unit.cluster.api_server import ApiServer
from tests.unit.provider.stand_ins import Said
from tidegate.cluster import names
from tidegate.cluster.kinds import CONFIG_MAP, DEPLOYMENT, LEADER_WORKER_SET, SERVICE
from tidegate.provider.errors import ProviderError
from tidegate.provider.kubernetes import SlotRemovalHandler
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.slot_removal import SlotRemovalInputs, SlotRemovalOutputs
from tidegate.records.gates import GateRecords

pytestmark = pytest.mark.unit

GOES, STAYS = "digits-1-aaaaaaaa", "digits-2-bbbbbbbb"
OUTPUTS = SlotRemovalOutputs(service="digits")


@pytest.fixture
def handler(access: ClusterAccess, api: ApiServer) -> SlotRemovalHandler:
    """Two slots are there."""
    for revision in (GOES, STAYS):
        labels = names.labels("digits", revision)
        for kind in (SERVICE, DEPLOYMENT, CONFIG_MAP):
            api.put(kind.plural, {"metadata": {"name": revision, "labels": labels}})
    return SlotRemovalHandler(access)


async def test_its_end_is_the_end_of_the_slots_objects_alone(
    access: ClusterAccess, api: ApiServer, handler: SlotRemovalHandler
) -> None:
    await GateRecords(access.cluster()).ensure("digits", GOES)
    created = await handler.create(
        Said().operation, SlotRemovalInputs(service="digits", revision=GOES)
    )

    await handler.delete(Said().operation, created.id, created.outputs)

    assert api.names(SERVICE.plural) == api.names(DEPLOYMENT.plural) == [STAYS]
    assert api.names(CONFIG_MAP.plural) == [STAYS, f"gate.{GOES}"]
    await handler.delete(Said().operation, created.id, created.outputs)


async def test_a_kind_that_the_cluster_does_not_have_is_no_part_of_it(
    api: ApiServer, handler: SlotRemovalHandler
) -> None:
    api.unknown_plurals.add(LEADER_WORKER_SET.plural)

    await handler.delete(Said().operation, GOES, OUTPUTS)

    assert api.names(DEPLOYMENT.plural) == [STAYS]


async def test_a_cluster_that_does_not_answer_keeps_it(
    api: ApiServer, handler: SlotRemovalHandler
) -> None:
    api.is_down = True

    with pytest.raises(ProviderError, match=f"the slot of {GOES}: "):
        await handler.delete(Said().operation, GOES, OUTPUTS)
