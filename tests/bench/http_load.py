"""Clients of an authority reduced to what the wire needs: kept-alive connections, each with one request under way.

    python -m tests.bench.http_load PORT CONNECTIONS

Answers a number of seconds with the timestamps that came in that time. Requests are encoded beforehand but for imprint and nonce; an answer
is read as far as its status and its nonce, so that the clients cost next to nothing beside the daemon on the same two cores. One that
grants nothing is an error.
"""

# ruff: noqa: T201 - printed lines are its answers

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter

from signer.algorithms import DigestAlgorithm
from signer.formats import der
from signer.timestamp.tsp import TimestampRequest, build_request
from tests.bench.measure import percentile

_NONCE = 1 << 62
_GRANTED = der.sequence(der.integer(0))
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"Content-Length: "


class Load:
    """What all connections do together, for so long."""

    def __init__(self, seconds: float) -> None:
        self.took_ms: list[float] = []
        self.started_s = perf_counter()
        self.ends_s = self.started_s + seconds
        self.failure = ""
        self._number = 0

    def request(self) -> tuple[bytes, bytes]:
        """The next one, whole, and the nonce it wants back."""
        self._number += 1
        nonce = _NONCE + self._number
        asked = TimestampRequest(self._number.to_bytes(32), DigestAlgorithm.SHA256, nonce, with_certificates=True)
        body = build_request(asked)
        head = f"POST /tsa HTTP/1.1\r\nHost: tsa\r\nContent-Type: application/timestamp-query\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body, der.integer(nonce)


class Client(asyncio.Protocol):
    """One connection: an answer, the next request."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self._expected = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        raw, self._nonce = self._load.request()
        self._asked_s = perf_counter()
        self._transport.write(raw)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._expected:
            end = self._received.find(_HEAD_END)
            if end < 0:
                return
            at = self._received.index(_LENGTH) + len(_LENGTH)
            self._expected = end + len(_HEAD_END) + int(self._received[at : self._received.index(b"\r", at)])
        if len(self._received) >= self._expected:
            self._answered(self._received, perf_counter())

    def _answered(self, answer: bytes, now_s: float) -> None:
        if not answer.startswith(b"HTTP/1.1 200 ") or _GRANTED not in answer or self._nonce not in answer:
            self._load.failure = answer[:200].decode("latin-1")
        self._load.took_ms.append((now_s - self._asked_s) * 1e3)
        self._received, self._expected = b"", 0
        if self._load.failure or now_s >= self._load.ends_s:
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._load.failure = str(exc)
        self.done.set_result(None)


async def run(port: int, connections: int, seconds: float) -> dict[str, float | str]:
    """Asks for so long over so many connections; figures as `Sample.of` reads them, or an `error`."""
    load, loop = Load(seconds), asyncio.get_running_loop()
    clients = [(await loop.create_connection(lambda: Client(load), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.gather(*(client.done for client in clients))
    if load.failure:
        return {"error": load.failure}
    spent_s = perf_counter() - load.started_s
    took_ms = sorted(load.took_ms)
    return {"items": len(took_ms), "seconds": spent_s, "p50_ms": percentile(took_ms, 0.5), "p99_ms": percentile(took_ms, 0.99)}


def main() -> None:
    port, connections = map(int, sys.argv[1:])
    for line in sys.stdin:
        print(json.dumps(asyncio.run(run(port, connections, float(line)))), flush=True)


if __name__ == "__main__":
    main()
