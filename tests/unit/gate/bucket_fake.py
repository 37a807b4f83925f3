"""An S3 bucket in memory, over HTTP on this machine: put, conditional put, get, range and list."""

import base64
import contextlib
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

SILENCE_SECONDS = 60.0


@dataclass
class FakeBucket:
    """`lose_answers`: how many of the next puts are carried out and then answered with 503.

    `refusing`: every request is answered with 403. `locked`: its objects are kept by default, so
    that a put without a checksum is refused. `silent_after`: the next get sends so many bytes of
    its body and then no more. `ranges`: what each get asked for.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    lose_answers: int = 0
    refusing: bool = False
    locked: bool = False
    silent_after: int | None = None
    ranges: list[str | None] = field(default_factory=list)
    endpoint: str = ""

    def environment(self, secret_key: str) -> dict[str, str]:
        """Variables by which `s3://` addresses lead here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu-north-1",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": secret_key,
        }

    def put(self, key: str, content: bytes, *, only_new: bool, checksum: str | None) -> int:
        sha256 = base64.b64encode(hashlib.sha256(content).digest()).decode()
        if (checksum is None and self.locked) or checksum not in (None, sha256):
            return 400
        if only_new and key in self.objects:
            return 412
        self.objects[key] = content
        if self.lose_answers:
            self.lose_answers -= 1
            return 503
        return 200

    def listing(self, prefix: str) -> bytes:
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size><ETag>e</ETag>"
            "<LastModified>2026-11-22T18:00:00.000Z</LastModified></Contents>"
            for key, content in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        return (
            f"<ListBucketResult><Prefix>{escape(prefix)}</Prefix>"
            f"<IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        ).encode()


@contextmanager
def serving_bucket(address: str = "127.0.0.1") -> Iterator[FakeBucket]:
    bucket = FakeBucket()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            only_new = self.headers.get("If-None-Match") == "*"
            checksum = self.headers.get("x-amz-checksum-sha256")
            status = bucket.put(self._key(), content, only_new=only_new, checksum=checksum)
            self._answer(status, b"")

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if "list-type" in query:
                self._answer(200, bucket.listing(query.get("prefix", [""])[0]))
                return
            wanted = self.headers.get("Range")
            bucket.ranges.append(wanted)
            content = bucket.objects.get(self._key())
            if content is None:
                self._answer(404, b"")
            elif wanted is None:
                self._answer(200, content)
            else:
                first, last = (int(each) for each in wanted.removeprefix("bytes=").split("-"))
                self._answer(206, content[first : last + 1], f"bytes {first}-{last}/{len(content)}")

        def _key(self) -> str:
            return unquote(urlsplit(self.path).path).split("/", 2)[2]

        def _answer(self, status: int, body: bytes, of_all: str | None = None) -> None:
            self.send_response(403 if bucket.refusing else status)
            self.send_header("ETag", '"e"')
            self.send_header("Last-Modified", "Sun, 22 Nov 2026 18:00:00 GMT")
            self.send_header("Content-Length", str(len(body)))
            if of_all is not None:
                self.send_header("Content-Range", of_all)
            self.end_headers()
            silent_after = bucket.silent_after if self.command == "GET" else None
            self.wfile.write(body[:silent_after])
            if silent_after is not None:
                bucket.silent_after, self.close_connection = None, True
                self.connection.settimeout(SILENCE_SECONDS)
                with contextlib.suppress(OSError):
                    self.rfile.read(1)  # until the client gives up

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Quiet."""

    server = ThreadingHTTPServer((address, 0), Handler)
    bucket.endpoint = f"http://{address}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def bucket_in_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBucket]:
    """A bucket that `s3://` addresses reach."""
    with serving_bucket() as served:
        for name, value in served.environment("nothing").items():
            monkeypatch.setenv(name, value)
        yield served
