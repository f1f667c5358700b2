"""A TCP proxy that breaks connections on purpose: what lies between school and daemon in May."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards 127.0.0.1:port to another local port, until told otherwise. Use as a context manager."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.connections = 0
        self.answered_bytes = 0
        self._cut_after_bytes: int | None = None
        self._is_silent = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Resets every open connection."""
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def cut_after(self, answered_bytes: int) -> None:
        """Resets everything once, as soon as the daemon has answered so many bytes from now."""
        self._cut_after_bytes = self.answered_bytes + answered_bytes

    def be_silent(self) -> None:
        """Swallows what comes on open connections, without closing them; new ones work."""
        with self._lock:
            self._is_silent.set()
            self._is_silent = threading.Event()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                near.close()
                continue
            self.connections += 1
            with self._lock:
                self._open |= {near, far}
                silent = self._is_silent
            threading.Thread(target=self._pump, args=(near, far, silent), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, silent, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, silent: threading.Event, is_answer: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(16 * 1024):
                if silent.is_set():
                    continue
                sink.sendall(data)
                if is_answer:
                    self._count(len(data))
        for end in (source, sink):
            # Closing alone would tell nobody: the other pump's recv still holds the socket.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _count(self, count: int) -> None:
        self.answered_bytes += count
        if self._cut_after_bytes is not None and self.answered_bytes >= self._cut_after_bytes:
            self._cut_after_bytes = None
            self.cut()
