"""Header blocks of HTTP/2 (RFC 7541): written without a table, read once each."""

from dataclasses import dataclass, field

from hpack import Decoder

_REMEMBERED_BLOCKS = 64


def header_block(headers: list[tuple[str, str]]) -> bytes:
    """Literals without indexing and without Huffman coding (RFC 7541, 6.2.2)."""
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in headers)


def _string(text: str) -> bytes:
    content, size = text.encode(), len(text.encode())
    if size < 127:
        return bytes([size]) + content
    size -= 127
    encoded = b"\x7f"
    while size >= 128:
        encoded += bytes([size % 128 + 128])
        size //= 128
    return encoded + bytes([size]) + content


@dataclass
class Headers:
    """Decoded header blocks by their bytes, shared by all connections to one server."""

    known: dict[bytes, dict[str, str]] = field(default_factory=dict)

    def decode(self, block: bytes) -> dict[str, str]:
        """Raises HPACKError."""
        found = self.known.get(block)
        if found is None:
            decoder = Decoder()
            decoder.header_table_size = 0
            found = {_text(name): _text(value) for name, value in decoder.decode(block)}
            if len(self.known) >= _REMEMBERED_BLOCKS:
                self.known.clear()
            self.known[block] = found
        return found


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
