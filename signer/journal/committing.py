"""One commit after the other, and what may be believed from memory between two of them.

| what                                | alone (SQLite)                         | several daemons (PostgreSQL)                      |
|-------------------------------------|----------------------------------------|---------------------------------------------------|
| where the log ends                  | remembered                             | its last entry is read, then what others appended |
| the standing of ids                 | remembered while their attempt is open | read                                              |
| whose attempts are under way        | this run's                             | those of daemons that are there (`store.sharing`) |
| serial numbers, reserved times      | read                                   | read                                              |
| SADs, their uses, factors' tries    | read                                   | read                                              |
| approvals, record states, calendars | read                                   | read                                              |
| quotas' counts                      | added to in the database               | added to in the database                          |

What is read here is read in the transaction that changes it, beside nobody else who writes. Whoever keeps something above the journal (who
calls, which certificate, how much is left of a quota) hears of changes by other ways.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from signer.errors import SignerError
from signer.journal.jobs import Change
from signer.journal.ledger import Head, Ids, Ledger, Standing
from signer.journal.log_nodes import complete_nodes
from signer.journal.model import NoteKind, OutcomeKind
from signer.journal.rows import count_entries, read_head, read_open, read_open_daemons, read_standings, write
from signer.store import prepare_schema
from signer.store.access import WRITER
from signer.store.sharing import Sharing

_COMMITS_KNOWN = 4096
"""As own ones, to whoever reads what other daemons wrote: of ten seconds and more."""
_ENDED = "the daemon ended with it under way"
_UNWRITTEN = "its outcome could not be written"


class _NotThere(Exception):
    """This daemon lost its presence: what it would begin now, others would give up at once."""


class Committer:
    """Owned by the writer's thread. Whatever a call raises, nothing of its transaction has happened, or only the database knows."""

    def __init__(self, engine: Engine, sharing: Sharing, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._sharing = sharing
        self._clock = clock
        self._connection: Connection | None = None
        self._head: Head | None = None
        self._open: dict[Ids, Standing] = {}  # attempts of this run that are under way
        self._stranded: set[Ids] = set()
        self._own: deque[range] = deque(maxlen=_COMMITS_KNOWN)
        self._next_look_s = 0.0

    @property
    def look_s(self) -> float | None:
        """How often to call `look`; None for never."""
        return self._sharing.look_s

    def start(self) -> None:
        """Joins whoever writes, prepares the schema and settles what was left open. ConfigError, JournalUnavailable, SQLAlchemyError."""
        self._sharing.join()
        prepare_schema(self._engine)
        connection = self._connected()
        with connection.begin():
            complete_nodes(connection, count_entries(connection))
        self._settle_left()
        self._next_look_s = time.monotonic() + (self._sharing.look_s or 0.0)

    def commit(self, changes: Sequence[Change]) -> int:
        """Applies and commits; how many entries it added. SQLAlchemyError, or a bug's exception: then `strand` them."""
        try:
            return self._commit(changes)
        except _NotThere:
            self._sharing.join()
            return self._commit(changes)

    def strand(self, changes: Sequence[Change]) -> None:
        """What a failed commit leaves open, if it reached the database after all, is nobody's."""
        self._disconnect()
        for job in changes:
            self._stranded.update(job.stranded(self._open))

    def look(self) -> None:
        """At intervals: settles what daemons that are gone left open, and what was stranded here. SQLAlchemyError when it can't."""
        if self._sharing.look_s is None or time.monotonic() < self._next_look_s:
            return
        self._next_look_s = time.monotonic() + self._sharing.look_s
        try:
            self._settle_left()
        except _NotThere:
            self._sharing.join()
        except Exception:
            self._disconnect()
            raise

    def is_own(self, index: int) -> bool:
        """Whether one of the latest commits here wrote the entry."""
        return any(index in entries for entries in reversed(self._own))

    def close(self) -> None:
        """Lets others write."""
        self._disconnect()
        self._sharing.leave()

    def _commit(self, changes: Sequence[Change]) -> int:
        connection = self._connected()
        with connection.begin():
            ledger = self._ledger(connection, self._standings(connection, changes))
            for job in changes:
                job.result = job.error = None
                try:
                    job.result = job.apply(connection, ledger)
                except SQLAlchemyError:
                    raise
                except SignerError as error:
                    job.error = error
            write(connection, ledger)
        self._committed(ledger)
        return len(ledger.entries)

    def _ledger(self, connection: Connection, standings: dict[Ids, Standing]) -> Ledger:
        """Of this transaction. _NotThere when this daemon is gone itself."""
        for ids, standing in standings.items():
            if standing.daemon != self._sharing.number:  # given up by another
                self._open.pop(ids, None)
        under_way = {ids: standing.daemon for ids, standing in standings.items() if standing.open_intent is not None}
        gone = self._gone(connection, set(under_way.values()))
        stranded = self._stranded | {ids for ids, daemon in under_way.items() if daemon in gone}
        return Ledger(self._read_head(connection), standings, stranded, self._clock(), self._sharing.number)

    def _settle_left(self) -> None:
        connection = self._connected()
        with connection.begin():
            gone = self._gone(connection, read_open_daemons(connection))
            left = read_open(connection, gone) if gone else {}
            own = read_standings(connection, list(self._stranded)) if self._stranded and not self._sharing.remembers else {}
            own = {ids: each for ids, each in own.items() if each.open_intent is not None and each.daemon == self._sharing.number}
            if not left and not own:
                return
            ledger = Ledger(self._read_head(connection), left | own, frozenset(), self._clock(), self._sharing.number)
            unknown = ledger.give_up([(ids, each.attempts) for ids, each in left.items()], OutcomeKind.UNKNOWN, _ENDED)
            if unknown:
                ledger.note(NoteKind.RECOVERED, "journal", {"unknown": unknown})
            ledger.give_up([(ids, each.attempts) for ids, each in own.items()], OutcomeKind.UNKNOWN, _UNWRITTEN)
            write(connection, ledger)
        self._committed(ledger)

    def _gone(self, connection: Connection, daemons: Collection[int | None]) -> set[int | None]:
        gone = self._sharing.gone(connection, {*daemons, self._sharing.number})
        if self._sharing.number in gone:
            raise _NotThere
        return gone

    def _read_head(self, connection: Connection) -> Head:
        if self._head is not None and self._sharing.remembers:
            return self._head
        return read_head(connection, self._head)

    def _standings(self, connection: Connection, changes: Sequence[Change]) -> dict[Ids, Standing]:
        wanted = {ids for job in changes for ids in job.keys}
        known = {ids: self._open[ids] for ids in wanted if ids in self._open} if self._sharing.remembers else {}
        missing = [ids for ids in wanted if ids not in known]
        if missing:
            known.update(read_standings(connection, missing))
        return known

    def _committed(self, ledger: Ledger) -> None:
        self._head = ledger.head
        self._own.append(range(ledger.head.next_index - len(ledger.entries), ledger.head.next_index))
        self._stranded.difference_update(ledger.changed)
        for ids, standing in ledger.changed.items():
            if standing.open_intent is None:
                self._open.pop(ids, None)
            else:
                self._open[ids] = standing

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(**WRITER)
        return self._connection

    def _disconnect(self) -> None:
        """Lets go of a connection that failed, and of what it made us believe: now only the database knows what it holds."""
        connection, self._connection, self._head = self._connection, None, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
