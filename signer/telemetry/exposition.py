"""The HTTP endpoint that Prometheus scrapes and that probes ask: /metrics, and the short pages it is given (/livez, /readyz)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from signer.errors import ConfigError
from signer.settings import split_listen
from signer.telemetry.settings import MetricsSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_JOIN_S_MAX = 5.0
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Page:
    """What a probe is told: 200 or 503, and why, one reason a line."""

    is_well: bool
    lines: tuple[str, ...] = ()


Pages = Mapping[str, Callable[[], Page]]
"""By path. Asked from the endpoint's own threads: they only read."""


@dataclass(frozen=True, slots=True)
class Exposition:
    """A running endpoint. port: the one taken, also when 0 was asked for."""

    host: str
    port: int
    _server: WSGIServer
    _thread: threading.Thread

    def close(self) -> None:
        """Stops answering and frees the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_JOIN_S_MAX)


def expose(settings: MetricsSettings, registry: CollectorRegistry, pages: Pages | None = None) -> Exposition:
    """Answers from threads of its own, until closed; ConfigError if the address can't be had."""
    host, port = split_listen(settings.listen)
    application = _application(make_wsgi_app(registry), pages or {})
    try:
        server = make_server(host, port, application, _Server6 if ":" in host else _Server, _Handler)
    except OSError as error:
        raise ConfigError(f"[metrics] listen = {settings.listen}: {error.strerror}; is another daemon running?") from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    return Exposition(host, server.server_port, server, thread)


class _Server(ThreadingMixIn, WSGIServer):
    """A thread a request: a slow reader keeps nobody waiting."""

    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    """Says nothing on standard error, and waits for nobody for ever."""

    timeout = _PATIENCE_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's signature
        """Scrapes are not events."""


def _application(metrics: Any, pages: Pages) -> WSGIApplication:
    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        make = pages.get(environ.get("PATH_INFO", ""))
        if make is None:
            answered: Iterable[bytes] = metrics(environ, start_response)
            return answered
        page = make()
        status = HTTPStatus.OK if page.is_well else HTTPStatus.SERVICE_UNAVAILABLE
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
        return ["".join(f"{line}\n" for line in page.lines or ("ok",)).encode()]

    return answer
