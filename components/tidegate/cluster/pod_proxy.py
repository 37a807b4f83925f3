"""What pods answer to people outside of the cluster, passed on by its API server."""

from collections.abc import Mapping

import httpx2
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.kubeconfig import SingleConfig

from tidegate.cluster.errors import Refusal, refused, unreachable

TIMEOUT_SECONDS = 5.0


class PodProxy:
    """The subresource `pods/proxy`, which needs the right to `get` it.

    `get` raises ClusterError. A client belongs to one event loop.
    """

    def __init__(
        self, config: SingleConfig, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._server = config.cluster.server
        timeout = httpx2.Timeout(TIMEOUT_SECONDS)
        parameters = ConnectionParams(timeout=timeout).httpx_params(config)
        self._client = httpx2.AsyncClient(**(parameters | {"transport": transport}))

    async def get(
        self, namespace: str, pod: str, port: int, path: str, query: Mapping[str, str]
    ) -> str:
        """Body of the pod's answer."""
        url = f"api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{path}"
        what = f"Pod {namespace}/{pod}, port {port},"
        try:
            answer = await self._client.get(url, params=dict(query))
        except (TimeoutError, httpx2.HTTPError, OSError) as error:
            why = str(error) or type(error).__name__
            raise unreachable("read", what, self._server, why) from error
        if answer.status_code != httpx2.codes.OK:
            refusal = Refusal.of(answer.status_code, answer.text)
            raise refused("read", what, "the subresource pods/proxy", self._server, refusal)
        return answer.text

    async def close(self) -> None:
        await self._client.aclose()
