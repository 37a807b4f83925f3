"""Guards on resources whose loss is a loss of data."""

from collections.abc import Sequence

import pulumi


def guarded(
    parent: pulumi.Resource, protect: bool, depends_on: Sequence[pulumi.Resource] = ()
) -> pulumi.ResourceOptions:
    """With `protect` the engine refuses to delete it, and who lifts that in the state by hand
    still leaves it in the cloud. Without, what the caller of the component set applies."""
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=depends_on,
        protect=True if protect else None,
        retain_on_delete=True if protect else None,
    )
