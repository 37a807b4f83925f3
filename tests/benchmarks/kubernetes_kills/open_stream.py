"""A request to the digits service that does not end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.cluster.harness.envoy_gateway import EnvoyGateway
from tests.cluster.project import LISTENER_PORT, ClusterProject
from tests.engine.harness.inference import InferenceClient
from tests.engine.harness.releases import SERVICE
from tidegate.spec.release import load_release

HOST_NAME = "digits.example.org"
ANSWER_SECONDS = 30.0


@contextmanager
def open_stream(project: ClusterProject, gateway: EnvoyGateway) -> Iterator[None]:
    """A gRPC stream that has been answered once and stays open; its own end is nobody's failure."""
    (address,) = gateway.envoys(project.namespace, "tidegate")
    target = f"{address}:{LISTENER_PORT}"
    release = load_release(project.serving_root, SERVICE, "1")
    client = InferenceClient(target, project.serving_root, release)
    request = client.grpc_request(client.example())
    done = threading.Event()

    def messages() -> Iterator[service_pb2.ModelInferRequest]:
        yield request
        done.wait()

    options = [("grpc.default_authority", HOST_NAME), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(target, options=options) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        stream = stub.ModelStreamInfer(messages(), timeout=None)
        answered = threading.Timer(ANSWER_SECONDS, stream.cancel)
        answered.start()
        next(stream)
        answered.cancel()
        try:
            yield
        finally:
            done.set()
            stream.cancel()
