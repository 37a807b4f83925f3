"""`NamespaceClaim`: keeps a stack out of a namespace that is somebody else's."""

from collections.abc import Sequence

from pydantic import Field

from tidegate.cluster.client import Object
from tidegate.cluster.kinds import NAMESPACE, SERVICE_ACCOUNT
from tidegate.cluster.names import MANAGED_BY_LABEL, MANAGER, RUNNER, STACK_ANNOTATION
from tidegate.provider.errors import ProviderError
from tidegate.provider.handler import (
    Created,
    Diff,
    Operation,
    Outputs,
    ResourceHandler,
    ResourceModel,
)
from tidegate.provider.kubernetes.access import ClusterAccess, as_provider_error
from tidegate.provider.kubernetes.patience import in_a_preview
from tidegate.spec.errors import SpecError


class NamespaceClaimInputs(ResourceModel):
    namespace: str = Field(description="Namespace of the platform; also the resource's id.")
    stack: str = Field(description="Whose it is: project and stack, as in 'tidegate/prod'.")
    create_namespace: bool = Field(
        description="Whether the stack makes the namespace, and so deletes it."
    )


class NamespaceClaimOutputs(Outputs):
    stack: str


class NamespaceClaimHandler(ResourceHandler[NamespaceClaimInputs, NamespaceClaimOutputs]):
    """pulumi-kubernetes applies: what is there already becomes the stack's, silently, and goes with
    it. So this resource looks before the first object is made, and at every preview; the Namespace
    and the runner's ServiceAccount carry the name of the stack that has made them.
    """

    type_name = "NamespaceClaim"
    description = (
        "Refuses a namespace to make that is there and is not this stack's, and one that another "
        "stack serves from."
    )
    inputs_model = NamespaceClaimInputs
    outputs_model = NamespaceClaimOutputs

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access

    async def foresee(self, inputs: NamespaceClaimInputs) -> Sequence[str]:
        await self._look(inputs, {inputs.stack})
        return ()

    async def diff(
        self,
        resource_id: str,
        outputs: NamespaceClaimOutputs,
        old: NamespaceClaimInputs | None,
        new: NamespaceClaimInputs,
    ) -> Diff:
        await self._look(new, {outputs.stack, new.stack})
        return await super().diff(resource_id, outputs, old, new)

    async def create(
        self, operation: Operation, inputs: NamespaceClaimInputs
    ) -> Created[NamespaceClaimOutputs]:
        await self._look(inputs, {inputs.stack})
        return Created(inputs.namespace, NamespaceClaimOutputs(stack=inputs.stack))

    async def update(
        self,
        operation: Operation,
        resource_id: str,
        outputs: NamespaceClaimOutputs,
        old: NamespaceClaimInputs | None,
        new: NamespaceClaimInputs,
    ) -> NamespaceClaimOutputs:
        # A stack that was renamed: its objects bear the former name until they are updated.
        await self._look(new, {outputs.stack, new.stack})
        return NamespaceClaimOutputs(stack=new.stack)

    async def read(
        self, resource_id: str, inputs: NamespaceClaimInputs | None
    ) -> NamespaceClaimOutputs | None:
        return NamespaceClaimOutputs(stack=inputs.stack) if inputs is not None else None

    async def delete(
        self, operation: Operation, resource_id: str, outputs: NamespaceClaimOutputs
    ) -> None:
        """Nothing: the marks went with the objects that bear them."""

    async def _look(self, inputs: NamespaceClaimInputs, own: set[str]) -> None:
        """In an update as in a preview: nothing is under way yet that a silence could harm."""
        with as_provider_error():
            await in_a_preview(lambda: self._check(inputs, own))

    async def _check(self, inputs: NamespaceClaimInputs, own: set[str]) -> None:
        """Raises ProviderError, and ClusterError when the cluster cannot be asked."""
        cluster, name = self._access.cluster(), inputs.namespace
        if inputs.create_namespace:
            namespace = await cluster.find(NAMESPACE, name)
            if namespace is not None and not _is_own(namespace, own):
                raise ProviderError(str(_not_made_here(namespace, inputs)))
        account = await cluster.find(SERVICE_ACCOUNT, RUNNER)
        if account is not None and _stack_of(account) not in {None, *own}:
            raise ProviderError(str(_taken(account, inputs)))


def _stack_of(item: Object) -> str | None:
    return (item["metadata"].get("annotations") or {}).get(STACK_ANNOTATION)


def _is_own(namespace: Object, own: set[str]) -> bool:
    """One that tidegate made before it named stacks is the first's that comes for it."""
    stack = _stack_of(namespace)
    if stack is not None:
        return stack in own
    return (namespace["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) == MANAGER


def _not_made_here(namespace: Object, inputs: NamespaceClaimInputs) -> SpecError:
    stack = _stack_of(namespace)
    whose = "was not made by this stack" if stack is None else f"belongs to stack {stack!r}"
    return SpecError(
        "namespace",
        inputs.namespace,
        f"it exists already and {whose} ({inputs.stack!r}), which would delete it in the end with "
        "everything in it",
        "createNamespace: false, or another namespace"
        if stack is None
        else _instead(f"namespace {inputs.namespace}", inputs),
    )


def _taken(account: Object, inputs: NamespaceClaimInputs) -> SpecError:
    return SpecError(
        "namespace",
        inputs.namespace,
        f"stack {_stack_of(account)!r} serves from it, and this one ({inputs.stack!r}) would take "
        "account, roles and policies from that",
        _instead(f"serviceaccount {RUNNER} --namespace {inputs.namespace}", inputs),
    )


def _instead(what: str, inputs: NamespaceClaimInputs) -> str:
    return (
        "a namespace for each stack; where this stack goes on for that one: kubectl annotate "
        f"{what} --overwrite {STACK_ANNOTATION}={inputs.stack}"
    )
