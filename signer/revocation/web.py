"""The door to the network. Nothing is believed here: bytes go out, a bounded number of bytes comes back."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Final, Protocol

import aiohttp

from signer.revocation.settings import RevocationSettings

_OK: Final = 200
_KEEP_ALIVE_S: Final = 30.0


class FetchOutcome(Enum):
    """How a fetch can fail; the value is an `outcome` label of metrics."""

    UNREACHABLE = "unreachable"
    """No connection, or it was closed before the answer was whole."""
    TIMED_OUT = "timed-out"
    """No whole answer in time."""
    HTTP_STATUS = "http-status"
    """Another HTTP status than 200; redirects are not followed."""
    TOO_LONG = "too-long"
    """More bytes than are taken."""


class FetchFailed(Exception):
    """No answer from this address."""

    def __init__(self, outcome: FetchOutcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.text = text


class Web(Protocol):
    """Whoever fetches."""

    async def fetch(self, url: str, body: bytes | None, bytes_max: int) -> bytes:
        """The body of the answer to a POST of an OCSP request, or to a GET (body None). FetchFailed says what came instead."""


class HttpWeb:
    """Kept-alive plain http. `start` inside the event loop, `close` once."""

    def __init__(self, settings: RevocationSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        """Makes it ready; connects to nobody yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.concurrency_max, keepalive_timeout=_KEEP_ALIVE_S),
            headers={"User-Agent": "signer"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    async def fetch(self, url: str, body: bytes | None, bytes_max: int) -> bytes:
        """As Web says; within `timeout_s`."""
        if self._session is None:
            raise FetchFailed(FetchOutcome.UNREACHABLE, "the daemon is starting or stopping")
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._exchange(self._session, url, body, bytes_max)
        except TimeoutError:
            raise FetchFailed(FetchOutcome.TIMED_OUT, f"no whole answer within {self._settings.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchFailed(FetchOutcome.UNREACHABLE, f"no whole answer: {type(error).__name__}") from error

    async def _exchange(self, session: aiohttp.ClientSession, url: str, body: bytes | None, bytes_max: int) -> bytes:
        method = "GET" if body is None else "POST"
        headers = {} if body is None else {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
        async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            if response.status != _OK:
                raise FetchFailed(FetchOutcome.HTTP_STATUS, f"HTTP status {response.status}")
            received = bytearray()
            async for piece in response.content.iter_any():
                received += piece
                if len(received) > bytes_max:
                    response.close()
                    raise FetchFailed(FetchOutcome.TOO_LONG, f"more than {bytes_max} bytes")
            return bytes(received)
