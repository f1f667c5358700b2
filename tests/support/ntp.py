"""A tiny NTP server for tests that can lie in each field (RFC 5905 §7.3), encoded by itself: nothing of the client under test is used."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

_EPOCH_S = 2_208_988_800
_FORWARD = 1 << 32


def _stamp(posix_s: float) -> int:
    return round((posix_s + _EPOCH_S) * _FORWARD) % (1 << 64)


def _short(seconds: float) -> int:
    return round(seconds * 65_536)


@dataclass(frozen=True, slots=True)
class NtpAnswer:
    """What it answers. offset_s: its clock minus ours; held_s: how long it says the answer took; updated_s: how long ago it was set.

    origin, receive, transmit: the field itself, when it is not to be what it should; length: cut to so many bytes. delay_s: really waited.
    """

    leap: int = 0
    version: int = 4
    mode: int = 4
    stratum: int = 2
    precision: int = -23
    root_delay_s: float = 0.002
    root_dispersion_s: float = 0.001
    refid: bytes = b"\x7f\x7f\x01\x01"
    updated_s: float = 10.0
    offset_s: float = 0.0
    held_s: float = 0.0
    origin: bytes | None = None
    receive: int | None = None
    transmit: int | None = None
    length: int = 48
    delay_s: float = 0.0
    silent: bool = False
    elsewhere: bool = False

    def packet(self, request: bytes, now_s: float) -> bytes:
        now_s += self.offset_s
        return struct.pack(
            "!BBbbII4sQ8sQQ",
            self.leap << 6 | self.version << 3 | self.mode,
            self.stratum,
            6,
            self.precision,
            _short(self.root_delay_s),
            _short(self.root_dispersion_s),
            self.refid,
            _stamp(now_s - self.updated_s),
            request[40:48] if self.origin is None else self.origin,
            _stamp(now_s) if self.receive is None else self.receive,
            _stamp(now_s + self.held_s) if self.transmit is None else self.transmit,
        )[: self.length]


HONEST = NtpAnswer()


@dataclass
class NtpServer(asyncio.DatagramProtocol):
    """One on a port of its own. answers: sent in this order to each request; may be changed while it runs."""

    answers: tuple[NtpAnswer, ...] = (HONEST,)
    requests: list[bytes] = field(default_factory=list)
    port: int = 0
    _transport: Any = None
    _other: Any = None

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def says(self, *answers: NtpAnswer) -> None:
        self.answers = answers

    def is_off_by(self, offset_s: float) -> None:
        self.says(replace(HONEST, offset_s=offset_s))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        now_s = time.time()
        self.requests.append(data)
        loop = asyncio.get_running_loop()
        for answer in self.answers:
            if not answer.silent:
                via = self._other if answer.elsewhere else self._transport
                loop.call_later(answer.delay_s, via.sendto, answer.packet(data, now_s), addr)

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._other, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", port))
        self.port = transport.get_extra_info("sockname")[1]

    def stop(self) -> None:
        self._transport.close()
        self._other.close()


@contextlib.asynccontextmanager
async def ntp_servers(*answers: NtpAnswer) -> AsyncIterator[list[NtpServer]]:
    """One server for each answer."""
    servers = [NtpServer((answer,)) for answer in answers]
    for server in servers:
        await server.start()
    try:
        yield servers
    finally:
        for server in servers:
            server.stop()
