"""The authority's HTTP door with a key in memory, and HTTP spoken to it byte by byte, as wrongly as a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from asn1crypto import core
from asn1crypto import tsp as asn1_tsp
from prometheus_client import CollectorRegistry

from signer.algorithms import DigestAlgorithm
from signer.server.timestamp_http import TimestampDoor
from signer.telemetry.metrics import Metrics
from signer.timestamp.authority import IssuedTimestamp
from signer.timestamp.settings import TimestampHttpSettings
from signer.timestamp.tsp import TimestampRequest, build_request
from tests.support.stamping import authority

IMPRINT = hashlib.sha256(b"document").digest()
ASKED = TimestampRequest(IMPRINT, DigestAlgorithm.SHA256, nonce=42, with_certificates=True)
QUERY = build_request(ASKED)
ANSWER_S_MAX = 30.0
Issue = Callable[[TimestampRequest], Awaitable[IssuedTimestamp]]


@dataclass
class Stamper:
    """Stands where the BuiltInTimestamper does. clients: who asked; cancelled: how many went away while it stamped."""

    issue: Issue = field(default_factory=lambda: authority(clock=lambda: datetime.now(UTC)).issue)
    clients: list[str] = field(default_factory=list)
    cancelled: int = 0

    async def stamp_request(self, asked: TimestampRequest, deadline_s: float, client_id: str) -> IssuedTimestamp:
        assert deadline_s > asyncio.get_running_loop().time()
        self.clients.append(client_id)
        try:
            return await self.issue(asked)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


@dataclass
class Opened:
    door: TimestampDoor
    stamper: Stamper
    port: int
    registry: CollectorRegistry

    def counted(self, outcome: str) -> float:
        """Requests that ended so."""
        return self.registry.get_sample_value("signer_authority_requests_total", {"outcome": outcome}) or 0.0

    @property
    def connections(self) -> float:
        found = self.registry.get_sample_value("signer_authority_connections")
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def opened(stamper: Stamper | None = None, **settings: object) -> AsyncIterator[Opened]:
    registry, stamper = CollectorRegistry(), stamper or Stamper()
    made = TimestampHttpSettings(**{"listen": "127.0.0.1:0", **settings})  # type: ignore[arg-type]
    door = TimestampDoor(made, stamper, Metrics.on(registry))  # type: ignore[arg-type]
    port = await door.open()
    try:
        yield Opened(door, stamper, port, registry)
    finally:
        await door.close(1.0)


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def failure(self) -> str:
        """Of a TimeStampResp: its one PKIFailureInfo; empty when granted."""
        assert (self.status, self.headers["content-type"]) == (200, "application/timestamp-reply")
        # asn1crypto's TimeStampResp demands a timestamp even of a rejection.
        info = asn1_tsp.PKIStatusInfo.load(core.Sequence.load(self.body)[0].dump())
        failures = sorted(info["fail_info"].native or [])
        assert (info["status"].native, len(failures)) in {("granted", 0), ("rejection", 1)}
        return failures[0] if failures else ""


class Line:
    """A connection, spoken on by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def answer(self) -> HttpAnswer:
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), ANSWER_S_MAX)).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await asyncio.wait_for(self.reader.readexactly(int(headers.get("content-length", 0))), ANSWER_S_MAX)
        return HttpAnswer(int(first.split()[1]), headers, body)

    async def ended(self) -> bytes:
        """What still comes until the other side closes."""
        try:
            return await asyncio.wait_for(self.reader.read(), ANSWER_S_MAX)
        except ConnectionError:
            return b""


@contextlib.asynccontextmanager
async def line(port: int, **options: object) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)  # type: ignore[arg-type]
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def post(body: bytes = QUERY, *headers: str, path: str = "/tsa", method: str = "POST", kind: str = "application/timestamp-query") -> bytes:
    """A request, whole."""
    lines = [f"{method} {path} HTTP/1.1", "Host: tsa", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def asked(port: int, raw: bytes, **options: object) -> HttpAnswer:
    """The answer to one request on a connection of its own."""
    async with line(port, **options) as one:
        one.send(raw)
        return await one.answer()
