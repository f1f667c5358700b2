"""One authority over HTTP (RFC 3161 §3.4): a TimeStampReq is posted, the body of a 200 comes back. Nothing is believed here.

No redirects, no cookies, no proxies from the environment, no decompression: whatever an answer asks for beside being read is not done.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections import deque

from yarl import URL

from signer.errors import ConfigError, PinSourceUnreadable
from signer.timestamp.client.connection import Connection
from signer.timestamp.client.exchange import Asker, Exchange
from signer.timestamp.client.failure import AskFailed, Failure
from signer.timestamp.settings import TsaSettings

_KEEP_ALIVE_S = 60.0
_HAPPY_EYEBALLS_S = 0.25
_ANSWER_HEADROOM_BYTES = 4096
"""Of a TimeStampResp around its timestamp: status, texts."""
_BEARER = re.compile(r"[!-~]+")
"""More than RFC 6750 §2.1 allows, and nothing that could end the header."""


class Transport:
    """Kept-alive connections to one authority, owned by the event loop; how many at once is its caller's to bound. `close` it."""

    def __init__(self, settings: TsaSettings, tls: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._tls = tls
        self._answer_bytes_max = settings.timestamp_bytes_max + _ANSWER_HEADROOM_BYTES
        self._url = URL(settings.url)
        self._head = _request_head(self._url)
        self._open: set[Connection] = set()
        self._free: deque[Connection] = deque()

    def close(self) -> None:
        """Closes its connections."""
        for connection in tuple(self._open):
            connection.close()

    def post(self, body: bytes, asker: Asker) -> Exchange:
        """Sends a request, in this call where a kept connection is free; the asker is told the answer's body, or what came instead.

        How long that may take is the caller's to bound. Raises AskFailed when our secret for it can't be read.
        """
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, self._authorization(), len(body), body)
        return Exchange(request, asker, self._take_free(), self._connect, self._answer_bytes_max)

    def _take_free(self) -> Connection | None:
        """The one that was used last; those that rested too long are closed."""
        rested_since_s = asyncio.get_running_loop().time() - _KEEP_ALIVE_S
        while self._free and self._free[0].idle_since_s < rested_since_s:
            self._free.popleft().give_up()
        return self._free.pop() if self._free else None

    async def _connect(self) -> Connection:
        def made() -> Connection:
            return Connection(self._answer_bytes_max, self._freed, self._lost)

        _transport, connection = await asyncio.get_running_loop().create_connection(
            made, self._url.raw_host or "", self._url.port or 0, ssl=self._tls, happy_eyeballs_delay=_HAPPY_EYEBALLS_S
        )
        self._open.add(connection)
        return connection

    def _freed(self, connection: Connection) -> None:
        connection.idle_since_s = asyncio.get_running_loop().time()
        self._free.append(connection)

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._free:
            self._free.remove(connection)

    def _authorization(self) -> bytes:
        """The header's line, empty for none. Read anew each time: a changed password needs no restart, and lives in no variable of ours."""
        settings = self._settings
        try:
            if settings.bearer_token is not None:
                token = settings.bearer_token.read().reveal()
                if not _BEARER.fullmatch(token):
                    raise AskFailed(Failure.SECRET_UNREADABLE, "its bearer token has characters that none may have (RFC 6750)")
                return f"Authorization: Bearer {token}\r\n".encode("ascii")
            if settings.basic_password is not None:
                both = f"{settings.basic_user}:{settings.basic_password.read().reveal()}".encode()
                return b"Authorization: Basic %b\r\n" % base64.b64encode(both)
        except PinSourceUnreadable as error:
            raise AskFailed(Failure.SECRET_UNREADABLE, f"its password or bearer token can't be read: {error.message}") from error
        return b""


def _request_head(url: URL) -> bytes:
    """All of a request's head that is the same for each."""
    lines = (
        f"POST {url.raw_path_qs} HTTP/1.1",
        f"Host: {url.host_port_subcomponent}",
        "Content-Type: application/timestamp-query",
        "Accept: application/timestamp-reply",
        "User-Agent: signer",
    )
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def tls_context(settings: TsaSettings) -> ssl.SSLContext | None:
    """How its https is checked, and what we prove ourselves with; None for http. ConfigError when the files can't be used."""
    if not settings.url.startswith("https:"):
        return None
    context = ssl.create_default_context()
    try:
        if settings.tls_ca_files:
            context = ssl.create_default_context(cafile=str(settings.tls_ca_files[0]))
            for file in settings.tls_ca_files[1:]:
                context.load_verify_locations(cafile=str(file))
        if settings.tls_client_certificate is not None:
            context.load_cert_chain(settings.tls_client_certificate, settings.tls_client_key, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise ConfigError(f"stamping.servers[{settings.name}]: its TLS files can't be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _no_passphrase() -> str:
    message = "tls_client_key has a passphrase; give one without"
    raise ValueError(message)
