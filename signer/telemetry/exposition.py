"""The HTTP endpoint that Prometheus scrapes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from signer.errors import ConfigError
from signer.settings import split_listen
from signer.telemetry.settings import MetricsSettings

_JOIN_S_MAX = 5.0


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


def expose(settings: MetricsSettings, registry: CollectorRegistry) -> Exposition:
    """Answers scrapes of `registry` from a thread of its own, until closed; ConfigError if the address can't be had."""
    host, port = split_listen(settings.listen)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigError(f"[metrics] listen = {settings.listen}: {error.strerror}; is another daemon running?") from error
    return Exposition(host, server.server_port, server, thread)
