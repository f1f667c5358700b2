"""Who writes to a database: this process alone, or several daemons in turn; and which of them are there.

Each daemon has a number, drawn when it starts, that stands beside what it has under way (`signature.daemon`). On PostgreSQL a daemon is
there as long as a session of its own, for nothing else, holds the advisory lock of that number: a process that is killed, a machine that
loses its power, a connection that is cut lose it, and the server tells. Whoever lost it is another daemon from then on (`join` gives a new
number), which takes along what it has under way, unless somebody has given that up meanwhile.

| | SQLite (`SoleWriter`) | PostgreSQL (`SharedWriting`) |
|---|---|---|
| another process | is refused: a lock on a file beside the database | writes as well, in turn: the lock of `postgresql.WRITER_LOCK` |
| what was written here | is known from memory | is read again: others may have changed it |
| daemons that are gone | all others | those whose lock is free |
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import SQLAlchemyError

from signer.store.access import WRITER
from signer.store.lock import WriterLock
from signer.store.statements import run_text
from signer.store.tables import signature

_LOOK_S = 2.0
_NUMBER_BITS = 63
_FREE = "SELECT number FROM unnest(%s::bigint[]) AS number WHERE pg_try_advisory_xact_lock_shared(number)"
_ADOPT = update(signature).where(signature.c.open_intent.is_not(None))


class Sharing(Protocol):
    """Owned by the writer's thread. remembers: whether only this process changes the database, so that what it wrote is what is there.

    look_s: how often to look for daemons that are gone; None for never.
    """

    remembers: bool
    look_s: float | None
    number: int

    def join(self) -> None:
        """Be there, with a number of one's own. ConfigError where another process has the database; SQLAlchemyError."""

    def gone(self, connection: Connection, numbers: Collection[int | None]) -> set[int | None]:
        """Those of these daemons that are not there, in the connection's transaction; this one among them when it is so no more."""

    def leave(self) -> None:
        """Be there no more."""


class SoleWriter:
    """Nobody else writes."""

    remembers = True
    look_s: float | None = None

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock: WriterLock | None = None
        self.number = _draw()

    def join(self) -> None:
        """Sharing."""
        self._lock = WriterLock.acquire(self._url)

    def gone(self, connection: Connection, numbers: Collection[int | None]) -> set[int | None]:  # noqa: ARG002
        """Sharing."""
        return set(numbers) - {self.number}

    def leave(self) -> None:
        """Sharing."""
        if self._lock is not None:
            self._lock.release()


class SharedWriting:
    """Others write as well."""

    remembers = False
    look_s: float | None = _LOOK_S

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._presence: Connection | None = None
        self.number = _draw()

    def join(self) -> None:
        """Sharing. What is under way under the number before goes along."""
        before = self.number if self._presence is not None else None
        self.leave()
        self.number = _draw()
        self._presence = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        run_text(self._presence, f"SELECT pg_advisory_lock({self.number})")
        if before is not None:
            with self._engine.connect().execution_options(**WRITER) as connection, connection.begin():
                connection.execute(_ADOPT.where(signature.c.daemon == before).values(daemon=self.number))

    def gone(self, connection: Connection, numbers: Collection[int | None]) -> set[int | None]:
        """Sharing. A lock that can be had is nobody's; it is had until the transaction's end, so that nobody joins under it meanwhile."""
        known = [number for number in numbers if number is not None]
        rows = run_text(connection, _FREE, (known,))
        return {row[0] for row in rows} | (set(numbers) & {None})

    def leave(self) -> None:
        """Sharing."""
        presence, self._presence = self._presence, None
        if presence is not None:
            with suppress(SQLAlchemyError):
                presence.close()


def sharing_of(engine: Engine, url: str) -> Sharing:
    """How this database is shared."""
    return SoleWriter(url) if engine.dialect.name == "sqlite" else SharedWriting(engine)


def _draw() -> int:
    """Never drawn twice: 63 bits."""
    return secrets.randbits(_NUMBER_BITS)
