"""The signed checkpoints that the journal keeps of its own log."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from signer.formats.checkpoint import SignedCheckpoint, read_note
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.log_nodes import read_range
from signer.journal.rows import count_entries
from signer.store.log_tables import checkpoint as table
from signer.store.times import microseconds, moment


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint and when it was made."""

    signed: SignedCheckpoint
    made: datetime

    @property
    def size(self) -> int:
        """How many entries it covers."""
        return self.signed.checkpoint.size


class CheckpointStore:
    """The door. Calls raise JournalUnavailable, and have then changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def head(self) -> tuple[int, bytes]:
        """The log's size and root now."""
        found: tuple[int, bytes] = await self._journal.run(Read(asyncio.get_running_loop(), _head))
        return found

    async def latest(self) -> KeptCheckpoint | None:
        """The one that covers most; None when there is none."""
        return await self._first(select(table).order_by(table.c.tree_size.desc()))

    async def covering(self, size: int) -> KeptCheckpoint | None:
        """The first one that covers so many entries."""
        return await self._first(select(table).where(table.c.tree_size >= size).order_by(table.c.tree_size))

    async def keep(self, made: KeptCheckpoint) -> None:
        """Adds one; one of that size that is there already stays."""
        await self._journal.run(_Keep(asyncio.get_running_loop(), made))

    async def _first(self, query: Select[Any]) -> KeptCheckpoint | None:
        def run(connection: Connection) -> KeptCheckpoint | None:
            row = connection.execute(query.limit(1)).one_or_none()
            return None if row is None else _kept(row)

        found: KeptCheckpoint | None = await self._journal.run(Read(asyncio.get_running_loop(), run))
        return found


class _Keep(Change):
    __slots__ = ("made",)

    def __init__(self, loop: asyncio.AbstractEventLoop, made: KeptCheckpoint) -> None:
        super().__init__(loop)
        self.made = made

    def apply(self, connection: Connection, ledger: Ledger) -> None:  # noqa: ARG002
        signed = self.made.signed
        if connection.execute(select(table.c.tree_size).where(table.c.tree_size == self.made.size)).first() is None:
            row = {"tree_size": self.made.size, "root": signed.checkpoint.root, "note": signed.note, "cms": signed.cms}
            connection.execute(insert(table).values(**row, made_at_us=microseconds(self.made.made)))


def _head(connection: Connection) -> tuple[int, bytes]:
    size = count_entries(connection)
    return size, read_range(connection, size).root


def _kept(row: Any) -> KeptCheckpoint:
    return KeptCheckpoint(read_note(row.note), moment(row.made_at_us))
