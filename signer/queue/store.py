"""The rows of queued batches: one thread that reads and writes them, off the event loop.

A change is one transaction, asked for by state: whoever comes too late (another replica was first) is told so and changed nothing. What
only a daemon may read leaves the thread opened, and is sealed before it enters a row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from signer.errors import JournalUnavailable
from signer.queue.rows import prepare_tables
from signer.store.access import WRITER
from signer.store.engine import open_engine, told

_P = ParamSpec("_P")
_T = TypeVar("_T")
_RETRY_AFTER_S = 1.0


class Sealer(Protocol):
    """Who keeps what lies in rows from whoever reads the disk (access.appliance_keys)."""

    def seal(self, content: bytes, context: str) -> bytes:
        """The content encrypted, bound to its context."""

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed for this context."""


class QueueStore:
    """The door. `start`, then `run`, then `stop`. url: of the queue's own database, or of the journal's on a server."""

    def __init__(self, url: str, sealer: Sealer) -> None:
        self.sealer = sealer
        self._url = url
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="queue")
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    async def start(self) -> None:
        """Opens the database, and makes what tables it lacks. ConfigError or JournalUnavailable when it can't be used."""
        await self._in_thread(self._open)

    async def stop(self) -> None:
        """Closes it, once what was asked is done."""
        await self._in_thread(self._disconnect)
        self._thread.shutdown(wait=False)

    async def run(self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **named: _P.kwargs) -> _T:
        """What work comes to, in one transaction. JournalUnavailable when the database can't be used: nothing was changed."""
        return await self._in_thread(lambda: self._transact(lambda connection: work(connection, *args, **named)))

    def _open(self) -> None:
        self._engine = open_engine(self._url)
        try:
            with self._engine.connect().execution_options(**WRITER) as connection, connection.begin():
                prepare_tables(connection)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def _transact(self, work: Callable[[Connection], _T]) -> _T:
        try:
            connection = self._connected()
            with connection.begin():
                return work(connection)
        except SQLAlchemyError as error:
            self._disconnect()
            raise _unavailable(error) from error

    def _connected(self) -> Connection:
        if self._engine is None:
            raise JournalUnavailable("the queue's database is closed", retry_after_s=_RETRY_AFTER_S)
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _unavailable(error: SQLAlchemyError) -> JournalUnavailable:
    return JournalUnavailable(f"the queue's database can't be used: {told(error)}", retry_after_s=_RETRY_AFTER_S)
