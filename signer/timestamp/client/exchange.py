from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol

from signer.timestamp.client.connection import Answer, Broken, Connection, TooLong
from signer.timestamp.client.failure import AskFailed, Failure


class Asker(Protocol):
    """Who wants the answer: one of these is called, once, from the event loop."""

    def answered(self, body: bytes) -> None:
        """The body of a 200."""

    def failed(self, error: AskFailed) -> None:
        """What came instead."""


class Exchange:
    """One request on its way over some connection, and its answer on the way back.

    connection: a kept one that is free; None to make one. connect: makes one, and raises OSError or ValueError.
    """

    def __init__(
        self, request: bytes, asker: Asker, connection: Connection | None, connect: Callable[[], Awaitable[Connection]], body_bytes_max: int
    ) -> None:
        self._request = request
        self._asker = asker
        self._connection = connection
        self._connect = connect
        self._body_bytes_max = body_bytes_max
        self._connecting: asyncio.Task[None] | None = None
        if connection is None:
            self._ask_anew()
        else:
            connection.ask(request, self)

    def give_up(self) -> None:
        """Nobody wants the answer any more; harmless when it has come."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.give_up()
            self._connection = None

    def answered(self, answer: Answer) -> None:
        """From the connection."""
        self._connection = None
        if answer.status == HTTPStatus.OK:
            self._asker.answered(answer.body)
        else:
            self._asker.failed(_bad_status(answer))

    def failed(self, error: Broken | TooLong) -> None:
        """From the connection."""
        self._connection = None
        if isinstance(error, TooLong):
            self._asker.failed(AskFailed(Failure.NOT_AN_ANSWER, f"more than {self._body_bytes_max} bytes; see timestamp_bytes_max"))
        elif error.was_silent:
            # A kept connection that it closed meanwhile; a new one can't be. Asking for a timestamp twice is harmless (RFC 9110 §9.2.2).
            self._ask_anew()
        else:
            self._asker.failed(AskFailed(Failure.UNREACHABLE, f"no whole answer: {error}"))

    def _ask_anew(self) -> None:
        self._connecting = asyncio.get_running_loop().create_task(self._ask_over_new())

    async def _ask_over_new(self) -> None:
        try:
            self._connection = await self._connect()
        except (OSError, ValueError) as error:
            self._asker.failed(AskFailed(Failure.UNREACHABLE, f"no whole answer: {type(error).__name__}: {error}"))
            return
        self._connection.ask(self._request, self)


def _bad_status(answer: Answer) -> AskFailed:
    retry_after_s = _retry_after_s(answer.retry_after, datetime.now(UTC))
    is_throttled = answer.status == HTTPStatus.TOO_MANY_REQUESTS or (
        answer.status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after_s is not None
    )
    failure = Failure.THROTTLED if is_throttled else Failure.HTTP_STATUS
    return AskFailed(failure, f"HTTP status {answer.status}", retry_after_s=retry_after_s if is_throttled else None)


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
