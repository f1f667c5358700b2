from __future__ import annotations

import asyncio
import hmac
import math
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from typing import cast

from aiohttp import hdrs, web

from signer.config import Config
from signer.errors import CapacityError, ConfigError, LifecycleError, PinSourceUnreadable
from signer.pipeline.timestamping import BuiltInTimestamper
from signer.server.http.allowance import Allowance, Allowances
from signer.server.http.body import BodyRefused, read_body
from signer.server.http.connections import Bounds, Connection, Connections
from signer.server.http.tls import HttpTls
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics
from signer.timestamp.authority import answer
from signer.timestamp.settings import TimestampHttpSettings

_log = get_logger(__name__)
_QUERY = "application/timestamp-query"
_REPLY: dict[str, str] = {hdrs.CONTENT_TYPE: "application/timestamp-reply", hdrs.SERVER: "signer"}
_PLAIN: dict[str, str] = {hdrs.CONTENT_TYPE: "text/plain; charset=utf-8", hdrs.SERVER: "signer"}
_GRANTED = "granted"
_GONE = "gone"
_RETRY_AFTER_S = 1.0


class _Refused(Exception):
    """Answered with a status instead of a TimeStampResp. closes: the connection is of no more use."""

    def __init__(self, status: HTTPStatus, text: str, *, closes: bool = False, retry_after_s: float | None = None, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.closes = closes
        self.headers: dict[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
        if retry_after_s is not None:
            self.headers[hdrs.RETRY_AFTER] = str(max(1, math.ceil(retry_after_s)))


class TimestampDoor:
    """The authority's HTTP door. `open`, then `close`. Owned by the event loop."""

    def __init__(self, settings: TimestampHttpSettings, timestamper: BuiltInTimestamper, metrics: Metrics) -> None:
        self._settings = settings
        self._timestamper = timestamper
        self._metrics = metrics
        self._duration = metrics.authority_request_duration_seconds
        self._granted = metrics.authority_requests.labels(outcome=_GRANTED)
        self._passes = tuple(_passes(settings))
        self._all = Allowance(settings.per_second_max)
        self._each = Allowances(settings.address_per_second_max)
        self._in_work = 0
        self._is_draining = False
        self._tls_ends = metrics.tls_certificate_not_after_seconds
        tls = _tls(settings)
        self._speaks_tls = tls is not None
        self._connections = Connections(_bounds(settings), tls.context if tls else None, self._handle)
        if tls is not None:
            self._tell_end(tls)
        metrics.authority_connections.set_function(lambda: len(self._connections))

    async def open(self) -> int:
        """Listens; returns the port. ConfigError when the address can't be had."""
        return await self._connections.open()

    def prepare(self, config: Config) -> Callable[[], None]:
        """Reads its TLS files anew (reloading.ReloadableDoor)."""
        settings = None if config.timestamp is None else config.timestamp.http
        tls = None if settings is None else _tls(settings)
        if tls is None or not self._speaks_tls:
            return lambda: None
        return partial(self._take, tls)

    async def close(self, within_s: float) -> None:
        """Takes nothing new; what is in work is answered, for at most so long."""
        self._is_draining = True
        await self._connections.close(min(within_s, self._settings.answer_s_max))

    def _take(self, tls: HttpTls) -> None:
        self._connections.take(tls.context)
        self._tell_end(tls)

    def _tell_end(self, tls: HttpTls) -> None:
        self._tls_ends.labels(door="timestamp").set(tls.not_after.timestamp())

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request of HTTP. Raises nothing but a cancellation, when the client has gone."""
        connection = cast("Connection", request.protocol)
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        connection.owing_since_s = None
        try:
            response, outcome = await self._answered(request, connection)
        except asyncio.CancelledError:
            self._metrics.authority_requests.labels(outcome=_GONE).inc()
            raise
        except _Refused as refused:
            response, outcome = _refusal(refused), f"http-{refused.status.value}"
        except Exception as bug:  # noqa: BLE001 - nothing of it leaves but a reference
            reference = secrets.token_hex(8)
            _log.error("timestamp request failed by a bug", reference=reference, exc_info=bug)
            response = _refusal(_Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"internal error {reference}", closes=True))
            outcome = "http-500"
        finally:
            connection.owing_since_s = loop.time()
        if outcome is _GRANTED:
            self._granted.inc()
            self._duration.observe(loop.time() - started_s)
        else:
            self._metrics.authority_requests.labels(outcome=outcome).inc()
        return response

    async def _answered(self, request: web.BaseRequest, connection: Connection) -> tuple[web.Response, str]:
        self._require_a_query(request)
        body = await self._body(request)
        self._require_allowance(connection.account)
        self._in_work += 1
        try:
            deadline_s = asyncio.get_running_loop().time() + self._settings.answer_s_max
            answered = await answer(body, partial(self._timestamper.stamp_request, deadline_s=deadline_s, client_id=connection.client_id))
        finally:
            self._in_work -= 1
        if isinstance(answered.error, (CapacityError, LifecycleError)):
            raise _busy(answered.error.message, answered.error.retry_after_s)
        response = web.Response(body=answered.encoded, headers=_REPLY)
        return response, _GRANTED if answered.failure is None else answered.failure.name.lower().replace("_", "-")

    def _require_a_query(self, request: web.BaseRequest) -> None:
        """What HTTP alone tells, from the head."""
        if self._is_draining:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", closes=True, retry_after_s=_RETRY_AFTER_S)
        if request.path != self._settings.path:
            raise _Refused(HTTPStatus.NOT_FOUND, f"timestamps are at {self._settings.path}")
        if request.method != hdrs.METH_POST:
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "POST a TimeStampReq (RFC 3161 section 3.4)", Allow=hdrs.METH_POST)
        if self._passes and not self._may_pass(request.headers.get(hdrs.AUTHORIZATION, "")):
            scheme = 'Basic realm="timestamps", charset="UTF-8"' if self._settings.basic_user else 'Bearer realm="timestamps"'
            raise _Refused(HTTPStatus.UNAUTHORIZED, "who are you?", WWW_Authenticate=scheme)
        if request.headers.get(hdrs.CONTENT_TYPE) != _QUERY and request.content_type != _QUERY:
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {_QUERY}")

    def _may_pass(self, authorization: str) -> bool:
        scheme, _, rest = authorization.partition(" ")
        shown = f"{scheme.lower()} {rest.strip()}".encode("utf-8", "surrogateescape")  # as aiohttp decoded it: any bytes may come
        return any(hmac.compare_digest(shown, known) for known in self._passes)

    async def _body(self, request: web.BaseRequest) -> bytes:
        try:
            body = await read_body(request, self._settings.request_bytes_max, self._settings.idle_s)
        except BodyRefused as refused:
            raise _Refused(refused.status, str(refused), closes=True) from None
        if not body:
            raise _Refused(HTTPStatus.BAD_REQUEST, "empty: POST a TimeStampReq, DER")
        return body

    def _require_allowance(self, account: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if wait_s := self._each.take(account, now_s):
            raise _Refused(HTTPStatus.TOO_MANY_REQUESTS, "more timestamps a second than one client may have", retry_after_s=wait_s)
        if self._in_work >= self._settings.concurrency_max:
            raise _busy("too many timestamps are in work", _RETRY_AFTER_S)
        if wait_s := self._all.take(now_s):
            raise _busy("more timestamps a second than are given", wait_s)


def _tls(settings: TimestampHttpSettings) -> HttpTls | None:
    """None for plain HTTP; ConfigError for files that can't be used."""
    if settings.tls_certificate is None:
        return None
    return HttpTls.read("timestamp.http", settings.tls_certificate, settings.tls_private_key, settings.tls_client_ca)


def _bounds(settings: TimestampHttpSettings) -> Bounds:
    return Bounds(
        "timestamp.http",
        settings.listen,
        settings.connections_max,
        settings.address_connections_max,
        settings.request_bytes_max,
        settings.idle_s,
    )


def _busy(text: str, retry_after_s: float | None) -> _Refused:
    return _Refused(HTTPStatus.SERVICE_UNAVAILABLE, text, retry_after_s=retry_after_s or _RETRY_AFTER_S)


def _refusal(refused: _Refused) -> web.Response:
    response = web.Response(status=refused.status.value, body=f"{refused}\n".encode(), headers={**_PLAIN, **refused.headers})
    if refused.closes:
        response.force_close()
    return response


def _passes(settings: TimestampHttpSettings) -> Iterator[bytes]:
    """The Authorization headers that are let in, scheme in lower case; none: anybody is."""
    try:
        if settings.basic_password is not None:
            both = f"{settings.basic_user}:{settings.basic_password.read().reveal()}".encode()
            yield b"basic " + b64encode(both)
        if settings.bearer_token is not None:
            yield b"bearer " + settings.bearer_token.read().reveal().encode()
    except PinSourceUnreadable as error:
        raise ConfigError(f"[timestamp.http]: its password or bearer token can't be read: {error.message}") from error
