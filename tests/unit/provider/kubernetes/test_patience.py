import pytest

from tests.unit.provider.stand_ins import Said
from tidegate.cluster.errors import BusyError, SilentWebhookError, UnreachableError
from tidegate.provider.kubernetes import patience
from tidegate.provider.kubernetes.patience import in_a_preview, patiently

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "RETRY_SECONDS", 0.01)


class Failing:
    """Fails as often as it is told, then answers."""

    def __init__(self, error: Exception, times: int) -> None:
        self._error = error
        self._left = times

    async def work(self) -> str:
        if self._left:
            self._left -= 1
            raise self._error
        return "done"


@pytest.mark.parametrize("kind", [UnreachableError, BusyError, SilentWebhookError])
async def test_work_is_repeated_until_it_is_carried_out(kind: type[UnreachableError]) -> None:
    said = Said()

    assert await patiently(said.operation, Failing(kind("why"), 2).work) == "done"

    assert said.status == ["waiting for the API server: why"] * 2


async def test_a_webhook_that_stays_silent_is_given_up() -> None:
    with pytest.raises(SilentWebhookError, match="why"):
        await patiently(Said().operation, Failing(SilentWebhookError("why"), 99).work, 0.05)


async def test_a_preview_waits_for_one_that_is_busy_only() -> None:
    assert await in_a_preview(Failing(BusyError("why"), 2).work) == "done"

    with pytest.raises(UnreachableError):
        await in_a_preview(Failing(UnreachableError("why"), 1).work)
