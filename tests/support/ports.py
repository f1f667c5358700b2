"""Ports for programs that can't be told to find their own.

They lie below those that the system gives to whoever asks for any (`ip_local_port_range`), so nobody happens to get one between its choice
and its use, or while a killed program is started again. Among test processes each is lent once: its file stays locked as long as they live.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
from io import TextIOWrapper
from pathlib import Path

_FIRST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_lent: list[TextIOWrapper] = []
"""Open files, and with them their locks."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that is this process' own. kind: SOCK_DGRAM for UDP."""
    return free_ports(1, kind)


def free_ports(count: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """The first of so many in a row."""
    starts = int(_RANGE.read_text(encoding="ascii").split()[0]) - count - _FIRST
    for number in range(starts):
        first = _FIRST + (os.getpid() * 61 + number) % starts
        with contextlib.suppress(OSError):
            _lend(range(first, first + count), kind)
            return first
    message = "every port is taken"
    raise AssertionError(message)


def _lend(ports: range, kind: socket.SocketKind) -> None:
    """OSError: one of them is somebody's."""
    with contextlib.ExitStack() as locks:
        files = [locks.enter_context(_locked(port)) for port in ports]
        for port in ports:
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind(("127.0.0.1", port))
        _lent.extend(files)
        locks.pop_all()


def _locked(port: int) -> TextIOWrapper:
    folder = Path(tempfile.gettempdir()) / f"signer-test-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as opened:
        file = opened.enter_context((folder / str(port)).open("a", encoding="ascii"))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened.pop_all()
    return file
