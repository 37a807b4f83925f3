"""The gateway's port for users, on which a stand-in answers as Envoy would route."""

from collections.abc import Callable
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.unit.provider.stand_ins import StackOnStandIns
from tidegate.files import write_json
from tidegate.local.slot_record import SlotRecord
from tidegate.traffic.routes import REVISION_HEADER


class UsersPort:
    """Answers with the live revision's name; `answers_from` names another one instead."""

    def __init__(self) -> None:
        self.answers_from: str | None = None
        self._server: ThreadingHTTPServer | None = None

    def serve(self, stack: StackOnStandIns) -> None:
        record = stack.gateway.record()
        assert record is not None
        self._server = ThreadingHTTPServer(("127.0.0.1", record.port), self._handler(stack))
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def write_slot(self, stack: StackOnStandIns, record: SlotRecord) -> None:
        write_json(stack.folder.slot(record.revision) / "slot.json", asdict(record))

    def _handler(self, stack: StackOnStandIns) -> Callable[..., BaseHTTPRequestHandler]:
        port = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                routes = stack.recorded_routes("digits")
                live = routes.live_revision if routes is not None else None
                self.send_response(200)
                self.send_header(REVISION_HEADER, port.answers_from or str(live))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler
