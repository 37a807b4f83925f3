"""A real Triton with models for the gate's benchmarks: identity, stalls, faults."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from tidegate.local import triton
from tidegate.spec.golden import GoldenData, save_golden
from tidegate.spec.signature import ModelSignature, TensorSpec

_READY_SECONDS = 30.0
_STOP_SECONDS = 15.0

MODEL = '''
import json, os, time
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    """Answers its input. Parameters: sleep and stall in milliseconds; `fault` is a file whose first
    word makes it misbehave."""
    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        value = lambda name: float(parameters.get(name, {}).get("string_value", 0))
        self.sleep, self.every, self.stall = value("sleep_ms"), value("every_s"), value("stall_s")
        self.fault = parameters.get("fault", {}).get("string_value", "")
        self.stalls = parameters.get("stalls", {}).get("string_value", "")
        self.next = None

    def execute(self, requests):
        fault = ""
        if self.fault and os.path.exists(self.fault):
            fault = open(self.fault).read().strip()
        responses = []
        for request in requests:
            now = time.monotonic()
            if self.every:
                if self.next is None:
                    self.next = now + self.every
                if now >= self.next:
                    time.sleep(self.stall)
                    with open(self.stalls, "a") as log:
                        log.write(f"{now} {time.monotonic()}\\n")
                    self.next += self.every
            if self.sleep:
                time.sleep(self.sleep / 1000)
            x = pb_utils.get_input_tensor_by_name(request, "x").as_numpy()
            if fault == "hang":
                time.sleep(3600)
            if fault == "empty":
                x = x[:0]
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("y", x)]))
        return responses
'''

CONFIG = """
name: "{name}"
backend: "python"
version_policy {{ specific {{ versions: {version} }} }}
input {{ name: "x" data_type: TYPE_FP32 dims: [1, {size}] }}
output {{ name: "y" data_type: TYPE_FP32 dims: [-1, {size}] }}
instance_group {{ count: {instances} kind: KIND_CPU }}
{parameters}
"""


@dataclass(frozen=True)
class BenchModel:
    """An identity model over FP32 [1, size]."""

    name: str
    size: int
    version: str = "1"
    instances: int = 1
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def signature(self) -> ModelSignature:
        return ModelSignature(
            name=self.name,
            version=self.version,
            inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, self.size)),),
            outputs=(TensorSpec(name="y", datatype="FP32", shape=(-1, self.size)),),
        )

    def golden(self, examples: int) -> GoldenData:
        x = np.random.default_rng(7).uniform(0, 1, (examples, self.size)).astype(np.float32)
        truth = np.argmax(x, axis=1).astype(np.int64)
        return GoldenData(inputs={"x": x}, outputs={"y": x}, truth=truth)

    def write_golden(self, path: Path, examples: int) -> Path:
        save_golden(path, self.golden(examples))
        return path

    def write(self, repository: Path) -> None:
        folder = repository / self.name / self.version
        folder.mkdir(parents=True)
        (folder / "model.py").write_text(MODEL)
        parameters = "\n".join(
            f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'
            for key, value in self.parameters.items()
        )
        (repository / self.name / "config.pbtxt").write_text(
            CONFIG.format(
                name=self.name,
                version=self.version,
                size=self.size,
                instances=self.instances,
                parameters=parameters,
            )
        )


class BenchTriton:
    """One Triton process in a folder of its own."""

    def __init__(
        self, folder: Path, models: list[BenchModel], ports: triton.TritonPorts | None = None
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ports = ports or triton.TritonPorts(*free_ports(3))
        for model in models:
            model.write(folder / "repository")
        triton.prepare_backends(folder / "backends")
        self._prefix = f"gate-bench-{os.getpid()}-{self.ports.http}-"
        self.start()

    @property
    def http_target(self) -> str:
        return f"127.0.0.1:{self.ports.http}"

    @property
    def grpc_target(self) -> str:
        return f"127.0.0.1:{self.ports.grpc}"

    @property
    def metrics_target(self) -> str:
        return f"127.0.0.1:{self.ports.metrics}"

    def start(self) -> None:
        command = triton.command(
            self.folder / "repository", self.folder / "backends", self.ports, self._prefix
        )
        with (self.folder / "triton.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=dict(triton.environment()), stdout=log, stderr=log
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        give_up = time.monotonic() + _READY_SECONDS
        while time.monotonic() < give_up:
            connection = http.client.HTTPConnection(self.http_target, timeout=1)
            with contextlib.suppress(OSError):
                connection.request("GET", "/v2/health/ready")
                if connection.getresponse().status == 200:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError((self.folder / "triton.log").read_text()[-2000:])

    def kill(self) -> None:
        """SIGKILL of the server and its stubs."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        _, left = psutil.wait_procs(children, timeout=5)
        for child in left:
            child.kill()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.kill()
        for path in triton.shared_memory_files(self._prefix):
            path.unlink(missing_ok=True)

    def cpu_seconds(self) -> float:
        own = psutil.Process(self.process.pid)
        return sum(sum(each.cpu_times()[:2]) for each in [own, *own.children(recursive=True)])


@contextlib.contextmanager
def running(
    folder: Path, models: list[BenchModel], ports: triton.TritonPorts | None = None
) -> Iterator[BenchTriton]:
    server = BenchTriton(folder, models, ports)
    try:
        yield server
    finally:
        server.stop()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
