"""Connections as a stranger makes them: TLS and HTTP/2 (RFC 9113) by hand, without a gRPC library that would behave."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _PING, _GOAWAY = 4, 6, 7
ENHANCE_YOUR_CALM = 0xB
_FRAME_HEAD_BYTES = 9
_PATIENCE_S = 20.0


def client_context(pki: Path, client: str | None = "school", version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client's TLS. client: whose files in pki; None shows no certificate. version: the only one it speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki / "tls-ca.crt")
    if client is not None:
        context.load_cert_chain(pki / f"{client}.crt", pki / f"{client}.key")
    context.set_alpn_protocols(["h2"])
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def connect(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection after its handshake; OSError (ssl.SSLError among them) when it is refused."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
    try:
        return context.wrap_socket(raw, server_hostname="localhost")
    except OSError:
        raw.close()
        raise


@dataclass(frozen=True, slots=True)
class Http2:
    """HTTP/2 on such a connection."""

    connection: ssl.SSLSocket

    @classmethod
    def begin(cls, connection: ssl.SSLSocket) -> Http2:
        """Preface and empty SETTINGS; EOFError unless the server greets as well."""
        begun = cls(connection)
        connection.sendall(_PREFACE + _frame(_SETTINGS, b""))
        begun.frame()
        return begun

    def ping(self, count: int) -> None:
        """So many PINGs, as fast as they go."""
        self.connection.sendall(_frame(_PING, bytes(8)) * count)

    def goodbye(self) -> int:
        """The error code of the server's GOAWAY, however long it takes to come."""
        while True:
            kind, body = self.frame()
            if kind == _GOAWAY:
                return int.from_bytes(body[4:8])

    def frame(self) -> tuple[int, bytes]:
        """Kind and body of the next frame; EOFError when the server has closed."""
        head = self._take(_FRAME_HEAD_BYTES)
        return head[3], self._take(int.from_bytes(head[:3]))

    def _take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            received = self.connection.recv(count - len(taken))
            if not received:
                raise EOFError
            taken += received
        return taken


def _frame(kind: int, body: bytes) -> bytes:
    return len(body).to_bytes(3) + bytes((kind, 0)) + bytes(4) + body
