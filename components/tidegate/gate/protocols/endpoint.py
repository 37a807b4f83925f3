"""How a server is reached: its address, TLS, and an API key."""

import ssl
from dataclasses import dataclass

from tidegate.gate.request import ApiKey, Tls, split_target
from tidegate.spec.errors import SpecError


@dataclass(frozen=True)
class Endpoint:
    """`headers` are sent with every request; they may hold a secret, so they are not shown."""

    target: str
    tls: Tls | None = None
    api_key: ApiKey | None = None

    @property
    def address(self) -> tuple[str, int]:
        return split_target(self.target)

    @property
    def server_name(self) -> str:
        named = self.tls.server_name if self.tls is not None else None
        return named or self.address[0]

    def headers(self) -> list[tuple[str, str]]:
        """Raises SpecError when the key cannot be read."""
        return [] if self.api_key is None else [(self.api_key.header, self.api_key.read())]

    def ssl_context(self) -> ssl.SSLContext | None:
        """Raises SpecError when a certificate file cannot be used."""
        if self.tls is None:
            return None
        try:
            context = ssl.create_default_context(cafile=self.tls.ca_file)
            if self.tls.certificate_file is not None:
                context.load_cert_chain(self.tls.certificate_file, self.tls.key_file)
        except (OSError, ssl.SSLError) as error:
            raise SpecError(
                "tls",
                self.tls.ca_file or self.tls.certificate_file,
                f"the certificate cannot be used ({error})",
                "files in PEM format",
            ) from None
        return context

    def root_certificates(self) -> bytes | None:
        """PEM for gRPC; None means the system's."""
        return _read(self.tls.ca_file) if self.tls is not None else None

    def client_certificate(self) -> tuple[bytes | None, bytes | None]:
        """Key and chain in PEM for gRPC."""
        if self.tls is None:
            return None, None
        return _read(self.tls.key_file), _read(self.tls.certificate_file)


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            return stream.read()
    except OSError as error:
        raise SpecError(
            "tls", path, f"it cannot be read ({error.strerror})", "a PEM file"
        ) from None
