"""An outside authority at the far end of a network: each answer leaves so long after its request came, however many there are at once.

    python -m tests.bench.far_tsa FOLDER ROUND_TRIP_MS

Serves with FOLDER's tsa.key and tsa.crt (P-256: what it costs on the same cores is not what is measured) until its stdin ends; its first
line tells the port. A thread a connection, because sleeping threads wake to the tenth of a millisecond, and timers of an event loop don't.

It stands for another machine, so it must not wait for the cores that the daemon works on: where it may (root, CAP_SYS_NICE) it takes a
real-time priority. No answer leaves before its time for that. `far_probe` tells how far away it was in truth.
"""

# ruff: noqa: T201 - a printed line is its answer

from __future__ import annotations

import itertools
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from time import perf_counter, sleep

from signer.algorithms import SignatureAlgorithm
from signer.timestamp.authority import Authority
from signer.timestamp.template import TimestampTemplate
from tests.support import pki
from tests.support.lies import POLICY
from tests.support.tsa import read_identity

_ALGORITHM = SignatureAlgorithm.ECDSA_SHA256


def come_first() -> bool:
    """Before all that have no real-time priority, threads that are started later included; False where that isn't allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    return True


def authority(folder: Path) -> Authority:
    issued, chain = read_identity(folder)
    numbers = itertools.count(1)

    async def sign(digest: bytes, _serial: int) -> bytes:
        return pki.sign(issued.key, _ALGORITHM, digest)

    async def serial() -> int:
        return next(numbers)

    template = TimestampTemplate.build(issued.der, chain, _ALGORITHM, policy_oid=POLICY, accuracy_ms=1000)
    return Authority(template, sign, serial, lambda: datetime.now(UTC))


class _Server(ThreadingTCPServer):
    """authority, round_trip_s: of every connection."""

    daemon_threads = True
    request_queue_size = 128
    authority: Authority
    round_trip_s: float


class _Connection(StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        while length := self._length():
            leaves_s = self._arrived_s + self.server.round_trip_s
            body = self.rfile.read(length)
            answer = _done(self.server.authority, body)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {len(answer)}\r\n\r\n"
            sleep(max(0.0, leaves_s - perf_counter()))
            self.wfile.write(head.encode() + answer)

    def _length(self) -> int:
        """Of the body that follows the head, which begins to come at `_arrived_s`; 0 when none comes any more."""
        found = 0
        self.rfile.readline()  # the request's line
        self._arrived_s = perf_counter()
        while (line := self.rfile.readline().lower()) not in {b"\r\n", b""}:
            if line.startswith(b"content-length:"):
                found = int(line.partition(b":")[2])
        return found


def _done(authority: Authority, body: bytes) -> bytes:
    """Nothing in it waits, so it needs no loop."""
    answering = authority.answer(body)
    try:
        answering.send(None)
    except StopIteration as ended:
        return bytes(ended.value)
    raise AssertionError


def main() -> None:
    folder, round_trip_ms = sys.argv[1:]
    is_first = come_first()
    with _Server(("127.0.0.1", 0), _Connection) as server:
        server.authority, server.round_trip_s = authority(Path(folder)), float(round_trip_ms) / 1000
        Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"port": server.server_address[1], "real_time": is_first}), flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
