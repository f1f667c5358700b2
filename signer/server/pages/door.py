"""The door: TLS, connections and limits before anything is looked at, and on every answer the headers that ASVS 14.4 asks for."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import urlencode, urlsplit

from aiohttp import hdrs, web

from signer.config import Config
from signer.config.pages import PagesSettings
from signer.errors import CapacityError, InvalidArgument, SignerError, TooManyRequests
from signer.server.http.allowance import Allowances
from signer.server.http.body import BodyRefused, read_body
from signer.server.http.connections import Bounds, Connection, Connections
from signer.server.http.tls import HttpTls
from signer.server.pages.forms import CONTENT_TYPE, TOKEN_FIELD, CsrfTokens, Form, is_plain
from signer.server.pages.routes import Needs, Route, Routes
from signer.server.pages.sign_in import SignInPages
from signer.server.pages.views import Answer, Visit, redirect
from signer.server.pages.words import language_of, preferred
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics

_log = get_logger(__name__)
_COOKIE: Final = "__Host-signer"
_LANGUAGE_COOKIE: Final = "__Host-language"
_COOKIE_RULES: Final = "Path=/; Secure; HttpOnly; SameSite=Strict"
_COOKIE_BYTES: Final = 32
_COOKIE_CHARACTERS_MAX: Final = 64
_LANGUAGE_S: Final = 31_536_000
_METHODS: Final = (hdrs.METH_GET, hdrs.METH_POST)
_ELSEWHERE: Final = "other"
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), publickey-credentials-create=(self), publickey-credentials-get=(self)",
    "Referrer-Policy": "same-origin",
    "Server": "signer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
"""Referrer-Policy is same-origin, not no-referrer: browsers would then send `Origin: null` with our own forms."""


class _Refused(Exception):
    """Answered with a status and a page that says what to do. text: its name."""

    def __init__(self, status: HTTPStatus, text: str, *, closes: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.closes = closes
        self.retry_after_s = retry_after_s


class PagesDoor:
    """`open`, then `close`. routes: all but those of `sign_in`, which stands in for what needs a person. Owned by the event loop."""

    def __init__(self, settings: PagesSettings, sign_in: SignInPages, routes: Routes, metrics: Metrics) -> None:
        self._settings = settings
        self._sign_in = sign_in
        self._views = sign_in.views
        self._sessions = sign_in.sessions
        self._routes = {**sign_in.routes(), **routes}
        self._metrics = metrics
        self._csrf = CsrfTokens()
        self._host = urlsplit(settings.origin).netloc
        self._each = Allowances(settings.address_per_second_max)
        self._is_draining = False
        tls = _tls(settings)
        self._connections = Connections(_bounds(settings), tls.context, self._handle)
        self._tell_end(tls)
        metrics.page_sessions.set_function(lambda: len(sign_in.sessions))

    async def open(self) -> int:
        """Listens; returns the port. ConfigError when the address can't be had."""
        return await self._connections.open()

    def prepare(self, config: Config) -> Callable[[], None]:
        """Reads its TLS files anew (reloading.ReloadableDoor)."""
        return (lambda: None) if config.pages is None else partial(self._take, _tls(config.pages))

    async def close(self, within_s: float) -> None:
        """Takes nothing new; what is in work is answered, for at most so long."""
        self._is_draining = True
        await self._connections.close(within_s)

    def sign_out(self, person_id: str) -> None:
        """Ends all sessions of a person."""
        self._sessions.close_all(person_id)

    def _take(self, tls: HttpTls) -> None:
        self._connections.take(tls.context)
        self._tell_end(tls)

    def _tell_end(self, tls: HttpTls) -> None:
        self._metrics.tls_certificate_not_after_seconds.labels(door="pages").set(tls.not_after.timestamp())

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request of HTTP. Raises nothing but a cancellation, when the client has gone."""
        connection = cast("Connection", request.protocol)
        connection.owing_since_s = None
        closes = False
        try:
            visit = self._visit(request, connection)
            try:
                answer = await self._answered(request, connection, visit)
            except _Refused as refused:
                closes = refused.closes
                answer = self._said(visit, refused)
            except SignerError as error:
                answer = self._said(visit, _of(error))
            except Exception as bug:  # noqa: BLE001 - nothing of it leaves but a reference
                answer = self._broken(visit, bug)
        finally:
            connection.owing_since_s = asyncio.get_running_loop().time()
        page = request.path if request.path in self._routes else _ELSEWHERE
        self._metrics.page_requests.labels(page=page, status=str(answer.status.value)).inc()
        response = _response(answer, new_cookie="" if _cookie(request) else visit.cookie)
        if closes:
            response.force_close()
        return response

    async def _answered(self, request: web.BaseRequest, connection: Connection, visit: Visit) -> Answer:
        self._require_admission(request, connection)
        if (file := self._views.files.get(request.path)) is not None:
            return file
        route = self._routes.get(request.path)
        if route is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "said.not_found")
        if request.method == hdrs.METH_POST:
            return await self._posted(request, visit, route)
        if (language := language_of(request.query.get("lang", ""))) is not None:
            return Answer(HTTPStatus.SEE_OTHER, location=visit.place, language=language)
        if not _cookie(request) and request.headers.get("Sec-Fetch-Site") == "cross-site":
            return replace(self._views.page(visit, "onward"), bare=True)
        if (instead := await self._let_in(visit, route)) is not None:
            return instead
        if route.get is None:
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "said.not_found")
        return await route.get(visit)

    async def _posted(self, request: web.BaseRequest, visit: Visit, route: Route) -> Answer:
        if route.post is None or request.content_type != CONTENT_TYPE:
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "said.not_found")
        if request.headers.get(hdrs.ORIGIN, self._settings.origin) != self._settings.origin:
            raise _Refused(HTTPStatus.FORBIDDEN, "said.not_ours")
        try:
            form = Form.read(await read_body(request, self._settings.request_bytes_max, self._settings.idle_s))
        except BodyRefused as refused:
            raise _Refused(refused.status, "said.too_long", closes=True) from None
        visit = replace(visit, form=form)
        if not self._csrf.fits(_cookie(request), form.raw(TOKEN_FIELD)):
            raise _Refused(HTTPStatus.FORBIDDEN, "said.not_ours")
        if (instead := await self._let_in(visit, route)) is not None:
            return instead
        return await route.post(visit)

    async def _let_in(self, visit: Visit, route: Route) -> Answer | None:
        """None, or what whoever may not is answered."""
        session = visit.session
        if route.needs is Needs.NOBODY:
            return None
        if session is None:
            return redirect("/first") if route.needs is Needs.FIRST_VISIT else await self._sign_in.ask(visit)
        if route.needs is Needs.FIRST_VISIT:
            return None if session.first_visit is not None else redirect("/")
        if session.first_visit is not None:
            return redirect("/first/pin")
        person = await self._sign_in.people.find(session.person.id)
        if person is None or person.disabled:
            self._sessions.close(visit.cookie)
            return redirect("/sign-in").with_cookie("")
        return None

    def _require_admission(self, request: web.BaseRequest, connection: Connection) -> None:
        if self._is_draining:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "said.stopping", closes=True, retry_after_s=1.0)
        if wait_s := self._each.take(connection.account, asyncio.get_running_loop().time()):
            raise _Refused(HTTPStatus.TOO_MANY_REQUESTS, "said.too_many", retry_after_s=wait_s)
        if request.headers.get(hdrs.HOST, "").lower() != self._host:
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, "said.not_found", closes=True)
        if request.method not in _METHODS:
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "said.not_found", closes=True)

    def _visit(self, request: web.BaseRequest, connection: Connection) -> Visit:
        """The request as pages see it, its form still unread. A browser without our cookie gets one with the answer."""
        known = _cookie(request)
        cookie = known or secrets.token_urlsafe(_COOKIE_BYTES)
        session = self._sessions.find(known) if known else None
        language = language_of(request.cookies.get(_LANGUAGE_COOKIE, "")) or preferred(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
        asked = [(name, value) for name, value in request.query.items() if name != "lang" and is_plain(value)]
        return Visit(
            path=request.path,
            place=f"{request.path}?{urlencode(asked)}" if asked else request.path,
            query=dict(asked),
            ids=tuple(dict.fromkeys(value for name, value in asked if name == "id")),
            form=Form(),
            language=language,
            cookie=cookie,
            csrf=self._csrf.of(cookie),
            account=connection.account,
            session=session,
        )

    def _broken(self, visit: Visit, bug: Exception) -> Answer:
        reference = secrets.token_hex(8)
        _log.error("page failed by a bug", reference=reference, exc_info=bug)
        values = {"said": "said.bug", "said_values": {"reference": reference}}
        return self._views.page(visit, "said", HTTPStatus.INTERNAL_SERVER_ERROR, **values)

    def _said(self, visit: Visit, refused: _Refused) -> Answer:
        headers: dict[str, str] = {} if refused.retry_after_s is None else {hdrs.RETRY_AFTER: str(max(1, math.ceil(refused.retry_after_s)))}
        page = self._views.page(visit, "said", refused.status, said=refused.text, said_values={})
        return replace(page, headers=headers)


def _of(error: SignerError) -> _Refused:
    """What our own errors look like to people, where no page has better words."""
    if isinstance(error, TooManyRequests):
        return _Refused(HTTPStatus.TOO_MANY_REQUESTS, "said.too_many", retry_after_s=error.retry_after_s)
    if isinstance(error, CapacityError):
        return _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "said.too_many", retry_after_s=error.retry_after_s)
    if isinstance(error, InvalidArgument):
        return _Refused(HTTPStatus.BAD_REQUEST, "said.unreadable")
    _log.warning("page refused", reason=error.reason.value, message=error.message)
    return _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "said.failed", retry_after_s=error.retry_after_s)


def _response(answer: Answer, new_cookie: str) -> web.Response:
    headers = {**_HEADERS, hdrs.CONTENT_TYPE: answer.content_type, **answer.headers}
    if answer.location:
        headers[hdrs.LOCATION] = answer.location
    response = web.Response(status=answer.status.value, body=answer.body, headers=headers)
    name = new_cookie if answer.cookie is None else answer.cookie
    if answer.cookie == "":
        response.headers.add(hdrs.SET_COOKIE, f"{_COOKIE}=; Max-Age=0; {_COOKIE_RULES}")
    elif name and not answer.bare:
        response.headers.add(hdrs.SET_COOKIE, f"{_COOKIE}={name}; {_COOKIE_RULES}")
    if answer.language is not None:
        response.headers.add(hdrs.SET_COOKIE, f"{_LANGUAGE_COOKIE}={answer.language.value}; Max-Age={_LANGUAGE_S}; {_COOKIE_RULES}")
    return response


def _cookie(request: web.BaseRequest) -> str:
    found = request.cookies.get(_COOKIE, "")
    return found if len(found) <= _COOKIE_CHARACTERS_MAX and found.isascii() and found.isprintable() else ""


def _tls(settings: PagesSettings) -> HttpTls:
    return HttpTls.read("pages", settings.tls_certificate, settings.tls_private_key)


def _bounds(settings: PagesSettings) -> Bounds:
    return Bounds(
        "pages",
        settings.listen,
        settings.connections_max,
        settings.address_connections_max,
        settings.request_bytes_max,
        settings.idle_s,
    )
