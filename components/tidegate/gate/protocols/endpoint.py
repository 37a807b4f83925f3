"""How a server is reached: its address, TLS, and an API key."""

import socket
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

    def connected(self, timeout_seconds: float) -> socket.socket:
        """A connection for single requests, with TLS where it is asked for.

        Raises OSError, ssl.SSLError and SpecError.
        """
        plain = socket.create_connection(self.address, timeout_seconds)
        context = self.ssl_context()
        if context is None:
            return plain
        try:
            return context.wrap_socket(plain, server_hostname=self.server_name)
        except BaseException:
            plain.close()
            raise
