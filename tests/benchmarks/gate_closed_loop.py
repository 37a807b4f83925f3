"""Closed loops in a process of their own, until they are ended: what each generator can carry.

    python -m tests.benchmarks.gate_closed_loop KIND PROTOCOL TARGET GOLDEN VERSION CONNECTIONS

`lanes` sends the next request when an answer came, on the gate's own connections, every answer
checked. `locust` is a Locust user per connection that waits for its answers, ten requests a second
at most; it prints its latencies on SIGTERM.
"""

import json
import random
import signal
import sys
import time
from pathlib import Path

import gevent
from locust import User, constant_throughput, task
from locust.env import Environment

from tidegate.gate.answers import AnswerChecker
from tidegate.gate.checking import ArmChecker, Revisions
from tidegate.gate.golden_signature import infer_signature
from tidegate.gate.protocols.base import Lane, Received, RequestError
from tidegate.gate.protocols.endpoint import Endpoint
from tidegate.gate.protocols.grpc import Grpc
from tidegate.gate.protocols.http import HttpBinary
from tidegate.spec.golden import load_golden
from tidegate.spec.release import Tolerance

MODEL = "identity"


def main(kind: str, name: str, target: str, golden_path: str, version: str, count: str) -> None:
    signature = infer_signature(Path(golden_path), MODEL, version)
    golden = load_golden(Path(golden_path), signature)
    wire = HttpBinary if name == "http" else Grpc
    protocol: HttpBinary | Grpc = wire(Endpoint(target), signature, golden)
    checker = AnswerChecker(signature, golden, Tolerance(absolute=1e-6, relative=1e-6))
    if kind == "lanes":
        _lanes(protocol, ArmChecker(checker, "bench", Revisions()), golden.count, int(count))
    else:
        _locust(protocol, golden.count, int(count))


def _lanes(
    protocol: HttpBinary | Grpc, checker: ArmChecker, examples: int, connections: int
) -> None:
    lanes: list[Lane] = []

    def received(token: int, answer: Received) -> None:
        finding = checker.check(int(protocol.code), token % examples, answer)
        if finding is not None:
            sys.exit(f"wrong answer: {finding.message}")
        lanes[token].send(token % examples, token)

    def failed(_token: int, error: RequestError) -> None:
        sys.exit(f"no answer: {error}")

    lanes.extend(protocol.lane(received, failed) for _ in range(connections))
    for token, lane in enumerate(lanes):
        lane.send(token % examples, token)
    while True:
        gevent.sleep(1.0)


def _locust(protocol: HttpBinary | Grpc, examples: int, users: int) -> None:
    latencies: list[float] = []

    class ClosedLoopUser(User):
        wait_time = constant_throughput(10)

        def on_start(self) -> None:
            self.connection = protocol.connect()

        @task
        def infer(self) -> None:
            started = time.perf_counter()
            self.connection.infer(random.randrange(examples), 10.0)  # noqa: S311
            latencies.append(time.perf_counter() - started)

    environment = Environment(user_classes=[ClosedLoopUser])
    runner = environment.create_local_runner()
    runner.start(user_count=users, spawn_rate=users)

    def end() -> None:
        runner.quit()
        print(json.dumps(latencies), flush=True)
        sys.exit(0)

    gevent.signal_handler(signal.SIGTERM, end)
    runner.greenlet.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
