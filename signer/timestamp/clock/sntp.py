"""The UDP door: one question to one NTP server, from a fresh port every time (RFC 9109)."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from signer.timestamp.clock import ntp
from signer.timestamp.clock.readings import Clocks, Reading
from signer.timestamp.clock.sample import Outcome, SourceFailed, TimeSample


async def ask(host: str, port: int, clocks: Clocks, timeout_s: float) -> TimeSample:
    """What the server says. Raises SourceFailed.

    The socket is connected: the system delivers nothing that comes from another address or port. What answers another question than this
    one is passed over, so that nobody can spoil an exchange by sending first.
    """
    question = _Question(clocks)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            transport, _ = await loop.create_datagram_endpoint(lambda: question, remote_addr=(host, port))
            try:
                packet, exchange = await question.answered
            finally:
                transport.close()
    except TimeoutError:
        passed_over = f"; {question.foreign} foreign packets came" if question.foreign else ""
        raise SourceFailed(Outcome.SILENT, f"no answer within {timeout_s:g} s{passed_over}") from None
    except (OSError, UnicodeError) as error:
        raise SourceFailed(Outcome.UNREACHABLE, getattr(error, "strerror", None) or str(error)) from error
    return ntp.judge(packet, exchange)


class _Question(asyncio.DatagramProtocol):
    """Asks as soon as its socket is there."""

    def __init__(self, clocks: Clocks) -> None:
        self.answered: asyncio.Future[tuple[bytes, ntp.Exchange]] = asyncio.get_running_loop().create_future()
        self.foreign = 0
        self._clocks = clocks
        self._nonce = secrets.token_bytes(ntp.NONCE_BYTES)
        self._sent: Reading | None = None

    def connection_made(self, transport: Any) -> None:
        self._sent = self._clocks()
        transport.sendto(ntp.request(self._nonce))

    def datagram_received(self, data: bytes, _address: object) -> None:
        received = self._clocks()
        if not ntp.is_ours(data, self._nonce) or self._sent is None:
            self.foreign += 1
        elif not self.answered.done():
            self.answered.set_result((data, ntp.Exchange(self._nonce, self._sent, received)))

    def error_received(self, exc: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(exc)
