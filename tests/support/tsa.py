"""A real time-stamping authority over HTTP for tests (RFC 3161 §3.4), on sockets of its own, that can be told to misbehave.

What it answers is one choice (`answers`: bytes → bytes, honest or lying), how it delivers it another (`Delivery`): whole, late, byte by
byte, as HTML, cut off, not at all.

`python -m tests.support.tsa FOLDER` is one as a process to be killed: see `main`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from signer.algorithms import SignatureAlgorithm
from signer.formats import der
from signer.timestamp.authority import Authority
from signer.timestamp.settings import TsaSettings
from signer.timestamp.template import TimestampTemplate
from signer.timestamp.tsp import granted, parse_request
from tests.support import pki
from tests.support.lies import NONCE, POLICY, Lie
from tests.support.mortal import mortal

RSA = SignatureAlgorithm.RSA_PKCS1_SHA256
Answers = Callable[[bytes], Awaitable[bytes]]
"""From a TimeStampReq to a TimeStampResp, both DER."""
Delivery = Callable[[asyncio.StreamWriter, bytes], Awaitable[bool]]
"""Sends an answer; returns whether the connection is kept."""
_STARTED_S_MAX = 20.0


def honest(
    issued: pki.Issued | None = None, chain: tuple[bytes, ...] | None = None, clock: Callable[[], datetime] | None = None
) -> Answers:
    """Our own authority, with a key in memory."""
    issued = issued or pki.tsa()
    chain = (pki.authority().der,) if chain is None else chain
    template = TimestampTemplate.build(issued.der, chain, RSA, policy_oid=POLICY, accuracy_ms=1000)
    numbers = itertools.count(1)

    async def sign(digest: bytes, _serial: int) -> bytes:
        return pki.sign(issued.key, RSA, digest)

    async def serial() -> int:
        return next(numbers)

    return Authority(template, sign, serial, clock or (lambda: datetime.now(UTC))).answer


def lying(lie: Lie) -> Answers:
    """Grants this lie; a nonce that is no lie is the request's."""

    async def answer(request: bytes) -> bytes:
        nonce = parse_request(request).nonce
        answered = replace(lie, nonce=der.integer(nonce or 0)) if lie.nonce == der.integer(NONCE) else lie
        return granted(answered.encoded())

    return answer


def openssl(folder: Path, issued: pki.Issued) -> Answers:
    """`openssl ts -reply`: another implementation than ours. folder: for its files, used by it alone."""
    (folder / "tsa.key").write_bytes(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "tsa.crt").write_bytes(issued.pem)
    (folder / "chain.pem").write_bytes(pki.authority().pem)
    (folder / "serial").write_text("01\n", encoding="ascii")
    (folder / "ts.cnf").write_text(
        f"[ts]\nserial={folder}/serial\ndefault_policy={POLICY}\ndigests=sha256,sha384,sha512\naccuracy=secs:1\nsigner_digest=sha256\n"
        "ess_cert_id_alg=sha256\n",
        encoding="ascii",
    )

    async def answer(request: bytes) -> bytes:
        (folder / "request.tsq").write_bytes(request)
        command = "openssl ts -reply -config ts.cnf -section ts -queryfile request.tsq -signer tsa.crt -inkey tsa.key -chain chain.pem"
        ran = await asyncio.to_thread(subprocess.run, command.split(), cwd=folder, capture_output=True, check=True)
        return bytes(ran.stdout)

    return answer


def _head(status: str, length: int | None, kind: str = "application/timestamp-reply", *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *([] if length is None else [f"Content-Length: {length}"]), *more]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


async def whole(writer: asyncio.StreamWriter, answer: bytes) -> bool:
    """As it should be."""
    writer.write(_head("200 OK", len(answer)) + answer)
    await writer.drain()
    return True


def late(delay_s: float) -> Delivery:
    """Whole, after a while."""

    async def deliver(writer: asyncio.StreamWriter, answer: bytes) -> bool:
        await asyncio.sleep(delay_s)
        return await whole(writer, answer)

    return deliver


def byte_by_byte(pause_s: float) -> Delivery:
    """Always a little progress, so that no read ever times out."""

    async def deliver(writer: asyncio.StreamWriter, answer: bytes) -> bool:
        writer.write(_head("200 OK", len(answer)))
        for byte in answer:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(pause_s)
        return True

    return deliver


async def hanging(_writer: asyncio.StreamWriter, _answer: bytes) -> bool:
    """Takes the request, says nothing."""
    await asyncio.sleep(3600)
    return False


def status(line: str, body: bytes = b"no", *headers: str, kind: str = "text/plain") -> Delivery:
    """Another status."""

    async def deliver(writer: asyncio.StreamWriter, _answer: bytes) -> bool:
        writer.write(_head(line, len(body), kind, *headers) + body)
        await writer.drain()
        return True

    return deliver


html = status("200 OK", b"<html><body>Please log in to the school's Wi-Fi</body></html>", kind="text/html")
"""What a captive portal answers."""


def too_many(retry_after: str) -> Delivery:
    """Throttled."""
    return status("429 Too Many Requests", b"slow down", f"Retry-After: {retry_after}")


async def cut_off(writer: asyncio.StreamWriter, answer: bytes) -> bool:
    """Promises all, sends half, closes."""
    writer.write(_head("200 OK", len(answer)) + answer[: len(answer) // 2])
    await writer.drain()
    return False


async def cut_off_without_length(writer: asyncio.StreamWriter, answer: bytes) -> bool:
    """The same where the end of the connection is the end of the answer: nothing but its bytes tells that half is missing."""
    writer.write(_head("200 OK", None) + answer[: len(answer) // 2])
    await writer.drain()
    return False


async def reset(writer: asyncio.StreamWriter, _answer: bytes) -> bool:
    """Closes at once, with RST where the system does so."""
    writer.transport.abort()
    return False


async def endless(writer: asyncio.StreamWriter, _answer: bytes) -> bool:
    """An answer without an end."""
    writer.write(_head("200 OK", None))
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(bytes(65_536))
            await writer.drain()
    return False


async def closes_afterwards(writer: asyncio.StreamWriter, answer: bytes) -> bool:
    """Whole, and closes the connection although it did not say so."""
    await whole(writer, answer)
    return False


@dataclass
class HttpTsa:
    """One authority on a port of its own. heads: the head of each request as it came; busy_max: the most that were open at once."""

    answers: Answers
    delivery: Delivery = whole
    heads: list[str] = field(default_factory=list)
    arrived_s: list[float] = field(default_factory=list)
    connections: int = 0
    busy_max: int = 0
    port: int = 0
    _busy: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/tsa"

    @property
    def requests(self) -> int:
        return len(self.heads)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0, **options: object) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port, **options)  # type: ignore[arg-type]
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Gone: nothing listens, what was open is closed."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._serve(reader, writer):
                pass
        with contextlib.suppress(ConnectionError, RuntimeError):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line.partition(":")[2] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0]))
        self.heads.append(head)
        self.arrived_s.append(asyncio.get_running_loop().time())
        self._busy += 1
        self.busy_max = max(self.busy_max, self._busy)
        try:
            return await self.delivery(writer, await self.answers(body))
        finally:
            self._busy -= 1


def settings_for(folder: Path, name: str, url: str, root: pki.Issued | None = None, **changes: object) -> TsaSettings:
    """The stanza of one authority, its CA file in `folder`."""
    ca_file = folder / f"{name}-ca.pem"
    ca_file.write_bytes((root or pki.root()).pem)
    return TsaSettings(name=name, url=url, ca_files=(ca_file,), **changes)  # type: ignore[arg-type]


def write_identity(folder: Path, issued: pki.Issued, chain: bytes = b"") -> None:
    """What `read_identity` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tsa.key").write_bytes(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "tsa.crt").write_bytes(issued.pem + (chain or pki.authority().pem))


@dataclass
class TsaProcess:
    """An authority as a process. port: stays the same when it is started again."""

    folder: Path
    arguments: tuple[str, ...] = ()
    port: int = 0
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/tsa"

    @property
    def requests(self) -> int:
        """How many it has answered."""
        log = self.folder / "requests"
        return log.stat().st_size if log.exists() else 0

    def start(self) -> None:
        command = mortal(sys.executable, "-m", "tests.support.tsa", self.folder, self.port, *self.arguments)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


def main() -> None:
    """FOLDER PORT [DELAY_MS [CLOCK_OFF_DAYS]]: serves with FOLDER's tsa.key and tsa.crt, prints its port, adds a byte to FOLDER/requests
    for each answer.
    """
    folder, port, *rest = sys.argv[1:]
    delay_s, off = float(rest[0] if rest else 0) / 1000, timedelta(days=float(rest[1] if len(rest) > 1 else 0))
    issued, chain = read_identity(Path(folder))
    inner = honest(issued, chain, lambda: datetime.now(UTC) + off)
    log = (Path(folder) / "requests").open("ab", buffering=0)

    async def answer(request: bytes) -> bytes:
        log.write(b".")
        return await inner(request)

    async def serve() -> None:
        tsa = HttpTsa(answer, late(delay_s))
        await tsa.start(int(port))
        print(tsa.port, flush=True)  # noqa: T201
        await asyncio.Event().wait()

    asyncio.run(serve())


def read_identity(folder: Path) -> tuple[pki.Issued, tuple[bytes, ...]]:
    """What `write_identity` wrote: the authority's own, and its chain."""
    first, *chain = x509.load_pem_x509_certificates((folder / "tsa.crt").read_bytes())
    key = load_pem_private_key((folder / "tsa.key").read_bytes(), None)
    return pki.Issued(first, key), tuple(certificate.public_bytes(Encoding.DER) for certificate in chain)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
