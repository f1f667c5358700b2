"""Timestamps over chosen roots at chosen times, from the built-in authority with a key in memory."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.timestamp.authority import Authority
from signer.timestamp.template import TimestampTemplate
from tests.support import pki

NOW = datetime(2026, 5, 30, 10, 0, tzinfo=UTC)
POLICY = "2.999.3161.1"
_SERIALS = itertools.count(1)


def authority(
    tsa: pki.Issued | None = None, clock: Callable[[], datetime] = lambda: NOW, *, chain: tuple[bytes, ...] | None = None
) -> Authority:
    issued = tsa or pki.tsa()
    algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256

    async def sign(digest: bytes, _serial: int) -> bytes:
        return pki.sign(issued.key, algorithm, digest)

    async def serials() -> int:
        return next(_SERIALS)

    embedded = (pki.authority().der,) if chain is None else chain
    template = TimestampTemplate.build(issued.der, embedded, algorithm, policy_oid=POLICY, accuracy_ms=1000)
    return Authority(template, sign, serials, clock)


def stamp(root: bytes, algorithm: DigestAlgorithm, at: datetime = NOW, tsa: pki.Issued | None = None) -> bytes:
    return asyncio.run(authority(tsa, lambda: at).stamp(root, algorithm))


@contextmanager
def http_tsa(authority_: Authority) -> Iterator[str]:
    """The authority behind HTTP (RFC 3161 §3.4); yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            answer = asyncio.run(authority_.answer(asked))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
