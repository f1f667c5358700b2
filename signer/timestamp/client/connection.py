"""One kept-alive HTTP/1.1 connection to an authority: a request is written, one answer is read by llhttp (httptools), nothing is believed.

A general client made 0.27 ms of work of each question, where this takes 0.06, and wrote the next one some turns of the event loop after an
answer had come: while a batch is signed each of them takes a millisecond or two. Here whoever is told of an answer can write the next
request in the very call that brought it.

What an answer asks for beside being read is not done: redirects, cookies, compression, upgrades. Bytes that nobody asked for, and an answer
that can't be told from what follows it, end the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus
from typing import Protocol, cast

import httptools

HEAD_BYTES_MAX = 16_384
"""Of an answer's bytes those that are not its body: status line, headers, chunks' sizes."""
_FRAMED = frozenset({b"content-length", b"transfer-encoding"})


class Broken(Exception):
    """No whole answer will come.

    was_silent: not one of its bytes came, and the connection had served before: it may have been closed as idle while the request left.
    """

    def __init__(self, text: str, *, was_silent: bool = False) -> None:
        super().__init__(text)
        self.was_silent = was_silent


class TooLong(Exception):
    """The body is longer than anybody wants."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, and the one header of it that is heeded."""

    status: int
    body: bytes
    retry_after: str | None = None


class Listener(Protocol):
    """Who waits for an answer: one of these is called, once, from the event loop."""

    def answered(self, answer: Answer) -> None:
        """The whole of it has come; the connection is free already, if it is kept."""

    def failed(self, error: Broken | TooLong) -> None:
        """It won't come. The connection is closed."""


class _Stage(IntEnum):
    """Of reading one answer."""

    HEAD = 0
    BODY = 1
    WHOLE = 2


class Connection(asyncio.Protocol):
    """idle_since_s: on the loop's clock, while it is free. on_free: told when it may be used (again). on_lost: when it never may again."""

    def __init__(self, body_bytes_max: int, on_free: Callable[[Connection], None], on_lost: Callable[[Connection], None]) -> None:
        self.idle_since_s = 0.0
        self._body_bytes_max = body_bytes_max
        self._on_free = on_free
        self._on_lost = on_lost
        self._transport: asyncio.Transport
        self._listener: Listener | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._has_served = False
        self._begin()

    def _begin(self) -> None:
        """Nothing of the next answer has come."""
        self._stage = _Stage.HEAD
        self._is_kept = self._is_framed = self._has_excess = False
        self._received_bytes = 0
        self._status = 0
        self._retry_after: bytes | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0

    def ask(self, request: bytes, listener: Listener) -> None:
        """Writes a request; the connection must be free."""
        self._listener = listener
        self._begin()
        self._transport.write(request)

    def give_up(self) -> None:
        """Closes it at once; who listened is told nothing any more."""
        self._listener = None
        self._transport.abort()

    def close(self) -> None:
        """Closes it at once; who listens is told."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """asyncio.Protocol."""
        if self._listener is None:
            self.give_up()
            return
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._stage is not _Stage.WHOLE:  # else it was what follows the answer
                self._fail(Broken(f"{type(error).__name__}: {error}"))
                return
            self._has_excess = True
        if self._stage is _Stage.WHOLE:
            self._finish()
        elif self._body_bytes > self._body_bytes_max:
            self._fail(TooLong())
        elif self._received_bytes > self._body_bytes_max + HEAD_BYTES_MAX:
            self._fail(Broken("its headers have no end"))

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio.Protocol. The end of the connection is the end of an answer that announced no length (RFC 9112 §6.3)."""
        self._on_lost(self)
        if self._listener is None:
            return
        if exc is None and self._stage is _Stage.BODY and not self._is_framed:
            self._is_kept = False
            self._finish()
        else:
            was_silent = self._has_served and not self._received_bytes
            self._fail(Broken(f"connection closed{f': {exc}' if exc else ''}", was_silent=was_silent))

    # What httptools calls, while it is fed.

    def on_message_begin(self) -> None:
        """A second message means bytes that nobody asked for."""
        self._has_excess = self._stage is _Stage.WHOLE

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of the answer's, or of a chunked body's end."""
        if self._stage is not _Stage.HEAD:
            return
        lowered = name.lower()
        self._is_framed |= lowered in _FRAMED
        if lowered == b"retry-after":
            self._retry_after = value

    def on_headers_complete(self) -> None:
        """The answer's head has come."""
        if self._stage is _Stage.HEAD:
            self._status = self._parser.get_status_code()
            self._stage = _Stage.BODY

    def on_body(self, body: bytes) -> None:
        """A piece of it; beyond the longest nothing is kept."""
        self._body_bytes += len(body)
        if self._stage is _Stage.BODY and self._body_bytes <= self._body_bytes_max:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """An answer, or an interim one (RFC 9110 §15.2), which the answer follows."""
        if self._stage is not _Stage.BODY:
            return
        if self._status < HTTPStatus.OK:
            self._stage = _Stage.HEAD
            self._is_framed = False
            return
        self._stage = _Stage.WHOLE
        self._is_kept = self._parser.should_keep_alive()

    def _finish(self) -> None:
        if self._body_bytes > self._body_bytes_max:
            self._fail(TooLong())
            return
        listener, self._listener = self._listener, None
        retry_after = None if self._retry_after is None else self._retry_after.decode("latin-1")
        answer = Answer(self._status, b"".join(self._body), retry_after)
        self._body = []
        self._has_served = True
        if self._is_kept and not self._has_excess:
            self._on_free(self)
        else:
            self.give_up()
        if listener is not None:
            listener.answered(answer)

    def _fail(self, error: Broken | TooLong) -> None:
        listener = self._listener
        self.give_up()
        if listener is not None:
            listener.failed(error)
