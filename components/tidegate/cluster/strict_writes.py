"""Has the API server refuse fields that it does not know, and otherwise drops with a warning."""

import httpx2
from lightkube import AsyncClient

WRITES = {"POST", "PUT", "PATCH"}


def make_strict(client: AsyncClient) -> None:
    """For every write of the client; lightkube's methods have no parameter for it."""
    client._client._client.event_hooks = {"request": [_strictly]}


async def _strictly(request: httpx2.Request) -> None:
    if request.method in WRITES:
        request.url = request.url.copy_set_param("fieldValidation", "Strict")
