from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, cast

from aiohttp import web

from signer.errors import ConfigError
from signer.server.http.allowance import Allowances
from signer.settings import split_listen
from signer.telemetry.logs import get_logger

_log = get_logger(__name__)
_BACKLOG = 512
_HEAD_LINE_BYTES_MAX = 2048
_HEAD_LINES_MAX = 64
_LINGER_S_MAX = 2.0
"""What a client still sends of a request that was refused is read so long: else the refusal would not reach it."""
_ACCEPT_PAUSE_S = 0.5
_LOOKS = 4
"""How often within idle_s overdue connections are looked for."""
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_silent = logging.getLogger("signer.aiohttp")
_silent.disabled = True  # it would log each malformed request with a traceback: anybody could fill our log


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a door's settings say of its connections; their descriptions tell what each does. section: of the configuration."""

    section: str
    listen: str
    connections_max: int
    address_connections_max: int
    request_bytes_max: int
    idle_s: float


class Connection(web.RequestHandler):
    """One connection, on which aiohttp speaks HTTP. account: whom its connections and requests are counted for.

    client_id: who it is, for the journal. owing_since_s: since when it is the client's turn, on the loop's clock; None while it is ours.
    wire: None until the handshakes are done.
    """

    __slots__ = ("account", "address", "client_id", "owing_since_s", "wire")

    def __init__(self, address: str, protocols: web.Server, **options: Any) -> None:
        super().__init__(protocols, **options)
        self.account = account_of(address)
        self.address = address
        self.client_id = ""
        self.owing_since_s: float | None = None
        self.wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Handshakes done."""
        self.wire = cast("asyncio.Transport", transport)
        self.client_id = _client_id(self.address, transport.get_extra_info("ssl_object"))
        self.owing_since_s = self._loop.time()
        super().connection_made(transport)

    def abort(self) -> None:
        """Ends it now, whatever the client has not taken yet."""
        if self.wire is not None:
            self.wire.abort()

    def handle_error(self, request: web.BaseRequest, status: int = 500, *_: Any) -> web.Response:
        """What is no HTTP: one line, and the connection ends."""
        del request
        response = web.Response(status=status, text="not HTTP as it is understood here\n", headers={"Server": "signer"})
        response.force_close()
        return response


class _Protocols(web.Server):
    """Makes Connections, and tells of their end."""

    def __init__(self, handler: Handler, on_lost: Callable[[Connection], None], **options: Any) -> None:
        super().__init__(handler, handler_cancellation=True, **options)
        self._on_lost = on_lost

    def connection(self, address: str) -> Connection:
        return Connection(address, self, loop=self._loop, **self._kwargs)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._on_lost(cast("Connection", handler))


class Connections:
    """Takes connections, so many in all and of one address, and ends those whose clients let us wait. `open`, then `close`."""

    def __init__(self, bounds: Bounds, tls: ssl.SSLContext | None, handler: Handler) -> None:
        self._bounds = bounds
        self._tls = tls
        self._handler = handler
        self._open: set[Connection] = set()
        self._taken: Counter[str] = Counter()
        self._handshakes_of = Allowances(bounds.address_connections_max)
        self._handshakes: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._socket: socket.socket | None = None
        self._protocols: _Protocols | None = None

    def __len__(self) -> int:
        return len(self._open)

    def take(self, tls: ssl.SSLContext) -> None:
        """Connections made from now on are proven with this. Not for plain HTTP, which stays plain until a restart."""
        self._tls = tls

    async def open(self) -> int:
        """Listens; returns the port. ConfigError when the address can't be had."""
        bounds = self._bounds
        host, port = split_listen(bounds.listen)
        loop = asyncio.get_running_loop()
        try:
            family, _kind, _protocol, _name, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
            both = host == "::" and socket.has_dualstack_ipv6()
            self._socket = socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=both)
        except OSError as error:
            raise ConfigError(f"[{bounds.section}] listen = {bounds.listen}: {error.strerror}; is another daemon running?") from error
        self._socket.settimeout(0)
        self._protocols = _Protocols(
            self._handler,
            self._lost,
            loop=loop,
            keepalive_timeout=bounds.idle_s,
            lingering_time=min(_LINGER_S_MAX, bounds.idle_s),
            read_bufsize=bounds.request_bytes_max,
            max_line_size=_HEAD_LINE_BYTES_MAX,
            max_field_size=_HEAD_LINE_BYTES_MAX,
            max_headers=_HEAD_LINES_MAX,
            auto_decompress=False,
            access_log=None,
            logger=_silent,
        )
        self._tasks = [asyncio.create_task(self._accept(self._socket, self._protocols)), asyncio.create_task(self._sweep())]
        return int(self._socket.getsockname()[1])

    async def close(self, within_s: float) -> None:
        """Takes no more; lets what is asked be answered, for so long; ends every connection."""
        for task in (*self._tasks, *self._handshakes):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._handshakes, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
        if self._protocols is not None:
            self._protocols.pre_shutdown()
            await self._protocols.shutdown(within_s)
        for connection in list(self._open):
            connection.abort()

    async def _accept(self, listening: socket.socket, protocols: _Protocols) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:  # out of file descriptors, or a connection that ended in the queue
                _log.warning("no connection taken", error=error.strerror)
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            connection = protocols.connection(address[0])
            if not self._has_room(connection.account):
                self._refuse(accepted)
                continue
            self._taken[connection.account] += 1
            self._open.add(connection)
            task = asyncio.create_task(self._greet(accepted, connection))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _has_room(self, account: str) -> bool:
        if len(self) >= self._bounds.connections_max or self._taken[account] >= self._bounds.address_connections_max:
            return False
        return self._tls is None or not self._handshakes_of.take(account, asyncio.get_running_loop().time())

    def _refuse(self, accepted: socket.socket) -> None:
        with accepted:
            if self._tls is None:
                with contextlib.suppress(OSError):
                    accepted.send(_FULL)

    async def _greet(self, accepted: socket.socket, connection: Connection) -> None:
        """Gives a Connection its socket, after the TLS handshake if there is one."""
        timeout_s = self._bounds.idle_s if self._tls else None
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=self._tls, ssl_handshake_timeout=timeout_s, ssl_shutdown_timeout=timeout_s
            )
        except OSError as error:
            _log.debug("TLS handshake failed", error=type(error).__name__)
        finally:
            if connection.wire is None:
                self._lost(connection)

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._taken[connection.account] -= 1
        if not self._taken[connection.account]:
            del self._taken[connection.account]

    async def _sweep(self) -> None:
        """Ends what is overdue: aiohttp ends idle connections itself, but not those whose clients take no answer."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._bounds.idle_s / _LOOKS)
            overdue_s = loop.time() - self._bounds.idle_s * (1 + 1 / _LOOKS)
            for connection in list(self._open):
                if connection.owing_since_s is not None and connection.owing_since_s < overdue_s:
                    connection.abort()


def account_of(address: str) -> str:
    """Whom connections are counted for: an IPv4 address, or the 64-bit prefix that an IPv6 host has to itself."""
    plain = plain_address(address)
    return str(plain) if isinstance(plain, IPv4Address) else str(IPv6Address(int(plain) >> 64 << 64))


def plain_address(address: str) -> IPv4Address | IPv6Address:
    """Without a zone, and IPv4 also when it came through IPv6."""
    parsed = ip_address(address.partition("%")[0])
    return parsed if isinstance(parsed, IPv4Address) else parsed.ipv4_mapped or parsed


def _client_id(address: str, tls: Any) -> str:
    """The SHA-256 of a TLS client certificate as `[[clients]]` knows it, else the address."""
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    return f"https:{hashlib.sha256(certificate).hexdigest()}" if certificate else f"http:{plain_address(address)}"
