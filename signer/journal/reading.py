"""Reading the journal beside its own thread, on connections that only read.

An audit of millions of entries must not keep a signature from its commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from signer.errors import JournalUnavailable
from signer.store import open_engine
from signer.store.access import READER
from signer.store.engine import told

_T = TypeVar("_T")
_READERS_MAX = 2


class Readings:
    """Queries in threads, two at a time, each in a transaction of its own, which sees the journal as it was at one moment."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._room = asyncio.Semaphore(_READERS_MAX)

    async def run(self, read: Callable[[Connection], _T]) -> _T:
        """What a query comes to. JournalUnavailable when the database can't be read."""
        async with self._room:
            return await asyncio.to_thread(self._read, read)

    def _read(self, read: Callable[[Connection], _T]) -> _T:
        if self._engine is None:
            self._engine = open_engine(self._url, must_exist=True)
        try:
            with self._engine.connect().execution_options(**READER) as connection, connection.begin():
                return read(connection)
        except SQLAlchemyError as error:
            raise JournalUnavailable(f"the journal can't be read: {told(error)}", retry_after_s=1.0) from error
