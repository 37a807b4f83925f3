"""The API server of a recorded cluster: it knows every kind and has no object of any."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.cloud.harness.project import CloudProject
from tests.cluster.harness.credentials import serving_certificate

TOKEN = "recorded"  # noqa: S105  # of nobody
CREDENTIAL = {
    "apiVersion": "client.authentication.k8s.io/v1beta1",
    "kind": "ExecCredential",
    "status": {"token": TOKEN},
}


@dataclass(frozen=True)
class ApiServer:
    """`certificate` is base64 of PEM, as in a kubeconfig.

    `asked`: paths of requests, without queries.
    """

    address: str
    certificate: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def empty_api_server(folder: Path) -> Iterator[ApiServer]:
    """On a free port of 127.0.0.1; without the token of `CREDENTIAL` nobody is let in."""
    made = serving_certificate(folder, "recorded", ["127.0.0.1"])
    certificate = base64.b64encode(made.certificate.read_bytes()).decode()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(asked))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ApiServer(f"127.0.0.1:{server.server_port}", certificate, asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve_clusters_of(project: CloudProject, server: ApiServer) -> None:
    """Clusters that the project makes are at this address, and the clouds tell its token."""
    eks = {"endpoint": f"https://{server.address}", "data": server.certificate}
    gke = {"endpoint": server.address, "clusterCaCertificate": server.certificate}
    project.cloud.give("aws:eks/cluster:Cluster", eks)
    project.cloud.give("gcp:container/cluster:Cluster", gke)
    _write_credential_programs(project.programs)


def _write_credential_programs(folder: Path) -> None:
    """In place of the clouds' own: they tell the token, and write down how they were called."""
    for name in ("aws", "gke-gcloud-auth-plugin"):
        program = folder / name
        program.write_text(
            f"#!/bin/sh\necho {name} $* >> '{folder}/credentials.log'\n"
            f"cat <<'END'\n{json.dumps(CREDENTIAL)}\nEND\n"
        )
        program.chmod(0o755)


def credential_calls(project: CloudProject) -> set[str]:
    """Command lines that asked for the token."""
    log = project.programs / "credentials.log"
    return set(log.read_text().splitlines()) if log.exists() else set()


def _handler(asked: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            path = self.path.partition("?")[0]
            asked.append(path)
            code, answer = _answer(path, self.headers.get("Authorization"))
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"apiVersion": "v1", **answer}).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing on standard error."""

    return Handler


def _answer(path: str, authorization: str | None) -> tuple[int, dict[str, Any]]:
    if authorization != f"Bearer {TOKEN}":
        return 401, _refusal(401, "Unauthorized")
    _, _, in_namespace = path.partition("/namespaces/")
    depth = in_namespace.count("/") if in_namespace else None
    if depth is not None and depth != 1:  # <namespace>, or <namespace>/<plural>/<name>
        return 404, _refusal(404, "NotFound")
    return 200, {"kind": "List", "metadata": {}, "items": []}


def _refusal(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason}
