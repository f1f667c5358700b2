"""Which daemon does what only one should: checkpoints, what is parked, what is to be forgotten.

A task belongs to the daemon whose session holds its advisory lock in PostgreSQL, on a connection that is for nothing else. The lock is the
session's: a daemon that dies, or loses its connection, loses its tasks at once, and the next one that asks has them. One that stood still
and goes on may do a task once more beside its successor, which must do no harm.

Where one daemon has the database to itself (SQLite), it leads in everything.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from enum import Enum
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from signer.errors import ConfigError
from signer.store import open_engine
from signer.telemetry.logs import get_logger

_log = get_logger(__name__)
_LOCK_SPACE: Final = 0x51670002
"""The first of an advisory lock's two numbers; the second is the task's."""


class Task(Enum):
    """What only one daemon does; the value is the advisory lock's second number."""

    CHECKPOINTS = 1
    COMPLETION = 2
    HOUSEKEEPING = 3


class Leading(Protocol):
    """Whose turn it is."""

    @property
    def tasks(self) -> frozenset[Task]:
        """Those that were this daemon's when it last asked."""

    async def leads(self, task: Task) -> bool:
        """Whether this daemon does the task now; asked before each round of it."""

    async def close(self) -> None:
        """Leaves every task to others."""


class AloneLeading:
    """Nobody else is there."""

    tasks = frozenset(Task)

    async def leads(self, task: Task) -> bool:  # noqa: ARG002
        """Always."""
        return True

    async def close(self) -> None:
        """Nothing to leave."""


class ElectedLeading:
    """Among the daemons on a PostgreSQL. url: the journal's. While it can't be asked nobody leads here: nothing is signed then either."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._turn = threading.Lock()
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._held: set[Task] = set()

    @property
    def tasks(self) -> frozenset[Task]:
        """Leading."""
        return frozenset(self._held)

    async def leads(self, task: Task) -> bool:
        """Leading."""
        return await asyncio.to_thread(self._leads, task)

    async def close(self) -> None:
        """Leading."""
        await asyncio.to_thread(self._close)

    def _leads(self, task: Task) -> bool:
        with self._turn:
            try:
                connection = self._connected()
                if task in self._held:
                    connection.execute(select(1))  # the session, and so the lock, still stands
                elif connection.execute(select(func.pg_try_advisory_lock(_LOCK_SPACE, task.value))).scalar_one():
                    self._held.add(task)
                    _log.info("leading", task=task.name.lower())
            except (SQLAlchemyError, ConfigError):
                self._disconnect()
            return task in self._held

    def _connected(self) -> Connection:
        if self._engine is None:
            self._engine = open_engine(self._url)
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if self._held:
            _log.warning("leading no more", tasks=sorted(task.name.lower() for task in self._held))
        self._held.clear()
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def _close(self) -> None:
        with self._turn:
            self._held.clear()
            self._disconnect()
