"""What other daemons changed: the notes that they append to the journal they share, told here to whoever remembers something.

Every change of what a daemon keeps in memory is a row and a note in one commit. So the journal itself says what changed and in which order,
misses nothing, and needs no second mechanism: whoever follows a kind of note hears of each one that another daemon wrote, within
`interval_s` of its commit. The daemon's own notes are left out: it knew before they were committed.

A follower that fails is told again, with what came since: it must bear hearing a note twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from signer.errors import SignerError
from signer.journal.entries import NOTE, decode
from signer.journal.jobs import Read
from signer.journal.journal import Journal
from signer.journal.model import NoteKind
from signer.journal.rows import count_entries
from signer.store.tables import journal_entry
from signer.telemetry.logs import get_logger

_log = get_logger(__name__)
_INTERVAL_S: Final = 0.5
_ENTRIES_AT_ONCE: Final = 20_000
"""Entries looked through in one query: a Department's busiest ten seconds."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A note that another daemon wrote."""

    kind: NoteKind
    subject: str
    detail: Mapping[str, str | int]


Follower = Callable[[Sequence[Heard]], Awaitable[None]]
"""Told of the notes it follows, oldest first. What it raises of our errors is logged, and it is told again."""


class Feed:
    """One a daemon, owned by the event loop. interval_s: between two looks. problem: why the last one failed, in words; else empty."""

    def __init__(self, journal: Journal, interval_s: float = _INTERVAL_S) -> None:
        self._journal = journal
        self._interval_s = interval_s
        self._followers: list[tuple[frozenset[NoteKind], Follower]] = []
        self._next_index = 0
        self.problem = ""
        self._turn = asyncio.Lock()

    def follow(self, kinds: Collection[NoteKind], follower: Follower) -> None:
        """From the next look on."""
        self._followers.append((frozenset(kinds), follower))

    async def begin(self) -> None:
        """What is appended from here on is told: call it before anything is read to be remembered. Raises JournalUnavailable."""
        self._next_index = await self._journal.entry_count()

    async def run(self) -> None:
        """A look at each interval, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            await self.catch_up()

    async def catch_up(self) -> None:
        """A look now; one that fails is logged, and `problem` says it, which keeps the daemon from being ready."""
        try:
            await self.look()
            self.problem = ""
        except SignerError as error:
            self.problem = f"the database that all daemons share: {error.message}"
            _log.warning("changes of other daemons not seen", reason=error.reason.value, message=error.message)
        except Exception as error:  # noqa: BLE001 - else nobody would look again, and rights taken away elsewhere would hold here
            self.problem = f"changes of other daemons are not seen, by a bug: {type(error).__name__}; see the log"
            _log.exception("changes of other daemons not seen, by a bug")

    async def clock_ahead_s(self) -> float:
        """By how much this daemon's clock is ahead of the database's. Raises JournalUnavailable."""
        query = select(func.extract("epoch", func.clock_timestamp()))
        seconds: float = await self._journal.run(Read(asyncio.get_running_loop(), lambda connection: float(connection.scalar(query) or 0)))
        return time.time() - seconds

    async def look(self) -> None:
        """Tells what was appended since the last look.

        Raises JournalUnavailable, or what a follower raised: the next look tells it all again.
        """
        async with self._turn:
            while await self._look_once():
                pass

    async def _look_once(self) -> bool:
        """Whether there may be more."""
        before = self._next_index
        found: tuple[int, list[Heard]] = await self._journal.run(Read(asyncio.get_running_loop(), self._read))
        end, heard = found
        for kinds, follower in self._followers:
            wanted = [note for note in heard if note.kind in kinds]
            if wanted:
                await follower(wanted)
        self._next_index = end
        return end - before >= _ENTRIES_AT_ONCE

    def _read(self, connection: Connection) -> tuple[int, list[Heard]]:
        """Where the look ends, and what it found. On the journal's thread."""
        size = count_entries(connection)
        start = self._next_index
        if size <= start:
            return start, []
        end = min(size, start + _ENTRIES_AT_ONCE)
        columns = journal_entry.c
        query = select(columns.entry_index, columns.body).where(
            columns.entry_index >= start, columns.entry_index < end, columns.kind == NOTE
        )
        rows = connection.execute(query.order_by(columns.entry_index)).all()
        return end, [_heard(body) for index, body in rows if not self._journal.is_own(index)]


_KINDS: Final = {kind.value: kind for kind in NoteKind}


def _heard(body: bytes) -> Heard:
    """A kind that only a newer release knows counts as STARTED, which nobody follows."""
    entry = decode(bytes(body))
    return Heard(_KINDS.get(entry["note"], NoteKind.STARTED), entry["subject"], entry["detail"])
