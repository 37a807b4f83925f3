"""Users of the digits service who keep asking through the cluster's gateway."""

import threading
import time
from types import TracebackType
from typing import Self

import httpx

from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.project import HOST_NAME, LISTENER_PORT, ClusterProject
from tests.engine.harness.inference import InferenceClient
from tests.engine.harness.releases import SERVICE
from tidegate.spec.release import load_release
from tidegate.traffic.routes import REVISION_HEADER

RATE_PER_SECOND = 60.0


class Users:
    """Ask for a prediction at a steady rate between enter and exit, without retries."""

    def __init__(
        self,
        project: ClusterProject,
        gateway: EnvoyGateway,
        rate_per_second: float = RATE_PER_SECOND,
    ) -> None:
        (address,) = gateway.envoys(project.namespace, "tidegate")
        release = load_release(project.serving_root, SERVICE, "1")
        client = InferenceClient(f"{address}:{LISTENER_PORT}", project.serving_root, release)
        self._url = client.url
        self._content, headers = client.binary_request(client.example())
        self._headers = {**headers, "host": HOST_NAME}
        self._pause = 1 / rate_per_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.failures: list[str] = []
        self.answers: list[str] = []

    @property
    def revisions(self) -> list[str]:
        """Revisions that answered, each time another one took over."""
        found: list[str] = []
        for each in self.answers:
            if not found or found[-1] != each:
                found.append(each)
        return found

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not self._stop.wait(self._pause):
                self._ask_once(client)

    def _ask_once(self, client: httpx.Client) -> None:
        try:
            answer = client.post(self._url, content=self._content, headers=self._headers)
        except httpx.HTTPError as error:
            self.failures.append(f"{time.time():.3f}: {error!r}")
            return
        if answer.status_code != httpx.codes.OK:
            self.failures.append(
                f"{time.time():.3f}: HTTP {answer.status_code} {answer.text[:200]}"
            )
            return
        self.answers.append(revision_of(answer.headers.get(REVISION_HEADER, "")))


def revision_of(header: str) -> str:
    """The revision in an answer: its id, or the name of the cluster of its Service."""
    return header.split("/")[2] if header.startswith("service/") else header
