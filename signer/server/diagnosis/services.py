"""Whether what lies outside can be reached: a connection is made and closed, nothing is asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from signer.config import Config
from signer.model import Finding
from signer.server.diagnosis.findings import fail, ok, warn

_PATIENCE_S = 3.0
_PORTS = {"http": 80, "https": 443}


def check_services(config: Config) -> Iterator[Finding]:
    """Outside time-stamping authorities, in their order."""
    servers = config.stamping.servers
    problems = {server.name: _problem(server.url) for server in servers}
    for name, problem in problems.items():
        if not problem:
            yield ok("tsa", f"{name} takes connections")
        elif all(problems.values()):
            yield fail("tsa", f"{name} can't be reached: {problem}", "look at DNS, proxy and firewall of this machine", "SignerNoTsaLeft")
        else:
            yield warn("tsa", f"{name} can't be reached: {problem}", "another one is asked meanwhile", "SignerTsaFailing")
    if not servers and config.timestamp is None:
        yield warn("tsa", "no timestamps: level B-T is refused", "configure [timestamp] or [[stamping.servers]], if it is wanted")


def _problem(url: str) -> str:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)), _PATIENCE_S):
            return ""
    except OSError as error:
        return error.strerror or type(error).__name__
