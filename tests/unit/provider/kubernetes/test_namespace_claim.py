from typing import Any

import pytest

from tests.unit.cluster.api_server import NAMESPACE, ApiServer
from tests.unit.provider.stand_ins import Said
from tidegate.cluster import kinds
from tidegate.cluster.names import RUNNER, STACK_ANNOTATION, labels
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import Diff
from tidegate.provider.kubernetes import NamespaceClaimHandler
from tidegate.provider.kubernetes.access import ClusterAccess
from tidegate.provider.kubernetes.namespace_claim import (
    NamespaceClaimInputs,
    NamespaceClaimOutputs,
)

pytestmark = pytest.mark.unit

OWN, OTHER = "tidegate/test", "tidegate/prod"
OUTPUTS = NamespaceClaimOutputs(stack=OWN)


@pytest.fixture
def handler(access: ClusterAccess) -> NamespaceClaimHandler:
    return NamespaceClaimHandler(access)


def inputs(create_namespace: bool = True, stack: str = OWN) -> NamespaceClaimInputs:
    return NamespaceClaimInputs(namespace=NAMESPACE, stack=stack, create_namespace=create_namespace)


def put(api: ApiServer, stack: str | None = None, *, by_us: bool = False) -> None:
    """The namespace, as somebody or as a stack has made it."""
    api.put(kinds.NAMESPACE.plural, item(NAMESPACE, stack, by_us), namespace="")


def put_account(api: ApiServer, stack: str | None) -> None:
    api.put(kinds.SERVICE_ACCOUNT.plural, item(RUNNER, stack, by_us=True))


def item(name: str, stack: str | None, by_us: bool) -> dict[str, Any]:
    annotations = {"example.org/team": "a"} | ({STACK_ANNOTATION: stack} if stack else {})
    marks = labels() if by_us or stack else {"team": "a"}
    return {"metadata": {"name": name, "labels": marks, "annotations": annotations}}


async def refusals(
    handler: NamespaceClaimHandler, given: NamespaceClaimInputs, recorded: bool = False
) -> str:
    """What the preview and the update say, which is the same."""
    said = set()
    for look in (
        (handler.diff(NAMESPACE, OUTPUTS, given, given),)
        if recorded
        else (handler.foresee(given), handler.create(Said().operation, given))
    ):
        with pytest.raises(ProviderError) as raised:
            await look
        said.add(str(raised.value))
    (words,) = said
    return words


async def test_a_namespace_that_is_there_is_not_made_and_so_not_deleted(
    api: ApiServer, handler: NamespaceClaimHandler
) -> None:
    put(api)

    said = await refusals(handler, inputs())

    assert said.startswith("namespace: 'team-a' cannot work: it exists already and was not made by")
    assert "which would delete it in the end with everything in it" in said
    assert "createNamespace: false" in said
    assert await handler.foresee(inputs(create_namespace=False)) == ()
    assert (await handler.create(Said().operation, inputs(create_namespace=False))).id == NAMESPACE


@pytest.mark.parametrize("create_namespace", [True, False])
async def test_a_namespace_of_another_stack_is_refused_by_its_name(
    api: ApiServer, handler: NamespaceClaimHandler, create_namespace: bool
) -> None:
    put(api, OTHER)
    put_account(api, OTHER)

    said = await refusals(handler, inputs(create_namespace))

    assert f"stack '{OTHER}'" in said
    assert "Instead: a namespace for each stack" in said
    assert f"--overwrite {STACK_ANNOTATION}={OWN}" in said


async def test_two_stacks_in_a_namespace_that_neither_made_are_told_apart(
    api: ApiServer, handler: NamespaceClaimHandler
) -> None:
    put(api)
    put_account(api, OTHER)

    said = await refusals(handler, inputs(create_namespace=False))

    assert f"stack '{OTHER}' serves from it" in said
    assert f"kubectl annotate serviceaccount {RUNNER} --namespace team-a" in said


@pytest.mark.parametrize(
    "made",
    [
        lambda api: None,
        lambda api: put(api, OWN),  # by an `up` that was killed, or by a stack whose state is lost
        lambda api: put(api, by_us=True),  # by a tidegate that did not name stacks
    ],
    ids=["missing", "own", "older"],
)
async def test_its_own_namespace_is_taken_up(
    api: ApiServer, handler: NamespaceClaimHandler, made: Any
) -> None:
    made(api)

    created = await handler.create(Said().operation, inputs())

    assert (created.id, created.outputs) == (NAMESPACE, OUTPUTS)
    assert await handler.foresee(inputs()) == ()
    assert await handler.diff(NAMESPACE, OUTPUTS, inputs(), inputs()) == Diff()
    assert await handler.read(NAMESPACE, inputs()) == OUTPUTS


async def test_a_stack_that_was_renamed_keeps_its_namespace(
    api: ApiServer, handler: NamespaceClaimHandler
) -> None:
    put(api, OWN)
    put_account(api, OWN)
    renamed = inputs(stack="tidegate/renamed")

    found = await handler.diff(NAMESPACE, OUTPUTS, inputs(), renamed)

    assert found.changed == ("stack",)
    outputs = await handler.update(Said().operation, NAMESPACE, OUTPUTS, inputs(), renamed)
    assert outputs.stack == "tidegate/renamed"


async def test_what_another_stack_takes_later_is_told_at_the_next_preview(
    api: ApiServer, handler: NamespaceClaimHandler
) -> None:
    put(api, OWN)
    put_account(api, OTHER)

    assert f"stack '{OTHER}' serves from it" in await refusals(handler, inputs(), recorded=True)


async def test_a_cluster_that_cannot_be_asked_is_said(
    api: ApiServer, handler: NamespaceClaimHandler
) -> None:
    api.is_down = True

    with pytest.raises(ProviderError, match="Namespace team-a cannot be read"):
        await handler.foresee(inputs())
