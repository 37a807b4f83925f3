"""A plain locustfile for exploring a KServe v2 server, with the gate's own requests and checks.

    locust -f loadtests/kserve.py --host http://127.0.0.1:8080

Closed loop: each user waits for its answer, so a slow server gets less load. Good for looking
around, never for a decision; `tidegate gate run` decides.
"""

import random
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from locust import User, between, events, task

from tidegate.gate.answers import AnswerChecker
from tidegate.gate.golden_signature import infer_signature
from tidegate.gate.protocols.base import Connection, RequestError
from tidegate.gate.protocols.catalogue import protocols_for
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.spec.golden import load_golden
from tidegate.spec.release import Tolerance

DEADLINE_SECONDS = 10.0
SERVING = Path(__file__).resolve().parent.parent / "serving"


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_arguments(parser: ArgumentParser, **_: Any) -> None:
    """Fields of Locust's web form as well."""
    parser.add_argument("--model", default="digits", help="model to ask")
    parser.add_argument("--model-version", default="1", help="version expected in the answers")
    parser.add_argument(
        "--golden", default=str(SERVING / "golden/digits/1.npz"), help="golden set of that version"
    )
    parser.add_argument("--grpc-target", default="", help="host:port; empty for HTTP alone")


class KserveUser(User):
    """Asks for random golden examples over every protocol and checks each answer."""

    wait_time = between(0.0, 0.1)

    def on_start(self) -> None:
        options = self.environment.parsed_options
        signature = infer_signature(Path(options.golden), options.model, options.model_version)
        golden = load_golden(Path(options.golden), signature)
        target = urlsplit(self.host or "").netloc
        self.examples = golden.count
        self.checker = AnswerChecker(signature, golden, Tolerance(absolute=1e-5, relative=1e-4))
        grpc = Endpoint(options.grpc_target) if options.grpc_target else None
        self.protocols = protocols_for(Endpoint(target), grpc, signature, golden)
        self.connections = [(each.code.label, each.connect()) for each in self.protocols]

    @task
    def infer(self) -> None:
        for name, connection in self.connections:
            self._ask(name, connection, random.randrange(self.examples))  # noqa: S311

    def on_stop(self) -> None:
        for _, connection in self.connections:
            connection.close()
        for protocol in self.protocols:
            protocol.close()

    def _ask(self, name: str, connection: Connection, example: int) -> None:
        started = time.perf_counter()
        failure: str | None = None
        try:
            answer = connection.infer(example, DEADLINE_SECONDS)
            difference = self.checker.difference(example, answer)
            failure = difference.message if difference else None
        except RequestError as error:
            failure = str(error)
        self.environment.events.request.fire(
            request_type=name,
            name="infer",
            response_time=(time.perf_counter() - started) * 1000.0,
            response_length=0,
            exception=RuntimeError(failure) if failure else None,
            context={},
        )
