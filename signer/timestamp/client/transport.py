"""One authority over HTTP (RFC 3161 §3.4): a TimeStampReq is posted, the body of a 200 comes back. Nothing is believed here.

No redirects, no cookies, no proxies from the environment, no decompression: whatever an answer asks for beside being read is not done.
"""

from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from signer.errors import ConfigError, PinSourceUnreadable
from signer.timestamp.client.failure import AskFailed, Failure
from signer.timestamp.settings import TsaSettings

_KEEP_ALIVE_S = 60.0
_OK = 200
_TOO_MANY_REQUESTS = 429
_UNAVAILABLE = 503
_ANSWER_HEADROOM_BYTES = 4096
"""Of a TimeStampResp around its timestamp: status, texts."""
_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply", "User-Agent": "signer"}


class Transport:
    """Kept-alive connections to one authority. Made inside a running event loop; `close` it."""

    def __init__(self, settings: TsaSettings, tls: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._answer_bytes_max = settings.timestamp_bytes_max + _ANSWER_HEADROOM_BYTES
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.concurrency_max, keepalive_timeout=_KEEP_ALIVE_S, ssl=tls or True),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Closes its connections."""
        await self._session.close()

    async def post(self, request: bytes) -> bytes:
        """The body of the answer. AskFailed says what came instead; how long it may take is the caller's to bound."""
        headers = self._authorization()
        try:
            try:
                return await self._post(request, headers)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if isinstance(error, aiohttp.ClientConnectorError):
                    raise
                # A kept-alive connection that it closed meanwhile. Asking for a timestamp twice is harmless (RFC 9110 §9.2.2).
                return await self._post(request, headers)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise AskFailed(Failure.UNREACHABLE, f"no whole answer: {type(error).__name__}: {error}") from error

    async def _post(self, request: bytes, headers: dict[str, str]) -> bytes:
        async with self._session.post(self._settings.url, data=request, headers=headers, allow_redirects=False) as response:
            if response.status != _OK:
                raise _bad_status(response)
            return await self._body(response)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > self._answer_bytes_max:
                response.close()
                raise AskFailed(Failure.NOT_AN_ANSWER, f"more than {self._answer_bytes_max} bytes; see timestamp_bytes_max")
        return bytes(body)

    def _authorization(self) -> dict[str, str]:
        """Read anew each time: a changed password needs no restart, and lives in no variable of ours."""
        settings = self._settings
        try:
            if settings.bearer_token is not None:
                return {"Authorization": f"Bearer {settings.bearer_token.read().reveal()}"}
            if settings.basic_password is not None:
                both = f"{settings.basic_user}:{settings.basic_password.read().reveal()}".encode()
                return {"Authorization": f"Basic {base64.b64encode(both).decode('ascii')}"}
        except PinSourceUnreadable as error:
            raise AskFailed(Failure.SECRET_UNREADABLE, f"its password or bearer token can't be read: {error.message}") from error
        return {}


def _bad_status(response: aiohttp.ClientResponse) -> AskFailed:
    retry_after_s = _retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
    is_throttled = response.status == _TOO_MANY_REQUESTS or (response.status == _UNAVAILABLE and retry_after_s is not None)
    failure = Failure.THROTTLED if is_throttled else Failure.HTTP_STATUS
    return AskFailed(failure, f"HTTP status {response.status}", retry_after_s=retry_after_s if is_throttled else None)


def _retry_after_s(value: str | None, now: datetime) -> float | None:
    """Retry-After (RFC 9110 §10.2.3): seconds, or a date; None for anything else."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


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
