"""What matters of the heads of HTTP responses."""

from dataclasses import dataclass

from geventhttpclient.response import HTTPResponse

HEADER_LENGTH = "Inference-Header-Content-Length"
_REVISION = "x-tidegate-revision"


@dataclass(frozen=True, slots=True)
class Head:
    """What matters of a response's status line and headers.

    `length` is None when the body has no length of its own (chunked, or up to the end).
    """

    status: int
    length: int | None
    json_length: int | None
    close: bool
    revision: str | None


def parse_head(content: bytes) -> Head:
    """From the status line to the empty line. Raises HTTPParseError and ValueError."""
    parser = HTTPResponse(method="POST")
    parser.feed(content)
    return head_of(parser)


def head_of(parser: HTTPResponse) -> Head:
    json_length, revision = parser.get(HEADER_LENGTH), parser.get(_REVISION)
    chunked = parser.get("transfer-encoding") is not None
    return Head(
        status=parser.status_code,
        length=None if chunked else parser.content_length,
        json_length=int(json_length) if isinstance(json_length, str) else None,
        close=not parser.should_keep_alive(),
        revision=revision if isinstance(revision, str) else None,
    )
