from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from signer.errors import InternalError, JournalUnavailable, SignerError
from signer.journal.jobs import Change, Job, LookUp, Read, Stop
from signer.journal.ledger import Head, Ids, Ledger, Standing
from signer.journal.log_nodes import complete_nodes
from signer.journal.model import NoteKind, OutcomeKind
from signer.journal.rows import count_entries, read_head, read_open, read_standings, read_stored, write
from signer.store import WriterLock, open_engine, prepare_schema
from signer.store.access import READER, WRITER

_RETRY_AFTER_S = 1.0
_COMMITS_KNOWN = 4096
"""As own ones, to whoever reads what other daemons wrote: of ten seconds and more."""
_log = logging.getLogger(__name__)


class CommitObserver(Protocol):
    """Told of each commit, on the writer's thread; must be quick."""

    def __call__(self, entries: int, seconds: float, /) -> None:
        """One commit of so many entries took so long, its statements included."""


class Writer:
    """The one thread that owns the database: takes all that waits, writes it in one transaction, commits, wakes the callers.

    Only `start` and `submit` are called from outside; everything else runs on the thread.
    """

    def __init__(
        self,
        url: str,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], datetime],
        on_commit: CommitObserver,
        commit_interval_s: float,
        commit_calls_max: int,
        busy_timeout_s: float,
    ) -> None:
        self._url = url
        self._loop = loop
        self._clock = clock
        self._on_commit = on_commit
        self._commit_interval_s = commit_interval_s
        self._commit_calls_max = commit_calls_max
        self._busy_timeout_s = busy_timeout_s
        self._queue: SimpleQueue[Job] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._engine: Engine | None = None
        self._connections: dict[bool, Connection] = {}  # by whether they write; see _connected
        self._head: Head | None = None
        self._open: dict[Ids, Standing] = {}  # attempts of this run that are under way: no other process settles them
        self._stranded: set[Ids] = set()
        self._has_company = False
        self._own: deque[range] = deque(maxlen=_COMMITS_KNOWN)
        self._ready = Job(loop)

    def start(self) -> asyncio.Future[Any]:
        """Start the thread; the future ends when the database is open and the earlier run's open attempts are settled."""
        self._thread.start()
        return self._ready.future

    def submit(self, job: Job) -> None:
        """Queue a call."""
        self._queue.put(job)

    def is_own(self, index: int) -> bool:
        """Whether one of the latest commits here wrote the entry; to be asked on the thread, by a job."""
        return any(index in entries for entries in reversed(self._own))

    def _run(self) -> None:
        lock: WriterLock | None = None
        last: Sequence[Job] = [self._ready]
        try:
            self._engine = open_engine(self._url, busy_timeout_s=self._busy_timeout_s)
            lock = WriterLock.acquire(self._url)
            prepare_schema(self._engine)
            self._recover()
            self._deliver([self._ready])
            last = self._serve()
        except SQLAlchemyError as error:
            self._ready.error = _unavailable(error)
        except SignerError as error:
            self._ready.error = error
        except Exception as error:  # noqa: BLE001 (whoever waits for the start must hear of it)
            self._ready.error = _bug(error)
        finally:
            self._disconnect(writes=True)
            self._disconnect(writes=False)
            if lock is not None:
                lock.release()
            self._deliver(last)

    def _recover(self) -> None:
        """Attempts that an earlier run left open: whether it used the key, nobody knows."""
        connection = self._connected(writes=True)
        with connection.begin():
            complete_nodes(connection, count_entries(connection))
            left = read_open(connection)
            ledger = Ledger(read_head(connection), left, frozenset(), self._clock())
            attempts = [(ids, standing.attempts) for ids, standing in left.items()]
            if ledger.give_up(attempts, OutcomeKind.UNKNOWN, "the daemon ended with it under way"):
                ledger.note(NoteKind.RECOVERED, "journal", {"unknown": len(attempts)})
            write(connection, ledger)
        self._head = ledger.head

    def _serve(self) -> Sequence[Job]:
        """Until a Stop, which is returned: its caller is to be woken when the database is closed."""
        while True:
            changes, stops = self._gather()
            if changes:
                self._change(changes)
            if stops:
                return stops

    def _gather(self) -> tuple[list[Change], list[Stop]]:
        """The changes of the next commit. Reads are answered as they come.

        A commit waits for company only if the one before had some: under load it costs half as much, and who is alone waits for nobody.
        """
        changes: list[Change] = []
        until: float | None = None
        while jobs := self._take(until):
            reads = [job for job in jobs if isinstance(job, LookUp | Read)]
            if reads:
                self._read(reads)
                self._deliver(reads)
            changes += [job for job in jobs if isinstance(job, Change)]
            stops = [job for job in jobs if isinstance(job, Stop)]
            if stops:
                return changes, stops
            if changes and (not self._has_company or len(changes) >= self._commit_calls_max):
                break
            if changes and until is None:
                until = time.monotonic() + self._commit_interval_s
        self._has_company = len(changes) > 1
        return changes, []

    def _take(self, until: float | None) -> list[Job]:
        """All that waits, up to a Stop; waits for the first, at most until then. Empty when nothing came."""
        jobs: list[Job] = []
        with suppress(Empty):
            jobs.append(self._queue.get(timeout=None if until is None else max(0.0, until - time.monotonic())))
            while len(jobs) < self._commit_calls_max and not isinstance(jobs[-1], Stop):
                jobs.append(self._queue.get_nowait())
        return jobs

    def _read(self, jobs: Sequence[LookUp | Read]) -> None:
        try:
            connection = self._connected(writes=False)
            with connection.begin():
                stored = read_stored(connection, {ids for job in jobs if isinstance(job, LookUp) for ids in job.keys})
                for job in jobs:
                    try:
                        job.result = job.read(connection, stored)
                    except SignerError as error:
                        job.error = error
        except SQLAlchemyError as error:
            self._disconnect(writes=False)
            _fail(jobs, _unavailable(error))
        except Exception as error:  # noqa: BLE001 (callers must be woken and the thread go on, whatever our bug is)
            self._disconnect(writes=False)
            _fail(jobs, _bug(error))

    def _change(self, changes: Sequence[Change]) -> None:
        started = time.perf_counter()
        try:
            entries = self._commit(changes)
        except SQLAlchemyError as error:
            self._fail_group(changes, _unavailable(error))
        except Exception as error:  # noqa: BLE001
            self._fail_group(changes, _bug(error))
        else:
            self._deliver(changes)
            try:
                self._on_commit(entries, time.perf_counter() - started)
            except Exception:  # noqa: BLE001 (someone else's, and no reason to stop)
                _log.exception("journal_observer_failed")
            return
        self._deliver(changes)

    def _commit(self, changes: Sequence[Change]) -> int:
        connection = self._connected(writes=True)
        with connection.begin():
            head = self._head or read_head(connection)
            ledger = Ledger(head, self._standings(connection, changes), self._stranded, self._clock())
            for job in changes:
                try:
                    job.result = job.apply(connection, ledger)
                except SQLAlchemyError:
                    raise
                except SignerError as error:
                    job.error = error
            write(connection, ledger)
        self._committed(ledger)
        return len(ledger.entries)

    def _committed(self, ledger: Ledger) -> None:
        self._head = ledger.head
        self._own.append(range(ledger.head.next_index - len(ledger.entries), ledger.head.next_index))
        self._stranded.difference_update(ledger.changed)
        for ids, standing in ledger.changed.items():
            if standing.open_intent is None:
                self._open.pop(ids, None)
            else:
                self._open[ids] = standing

    def _fail_group(self, changes: Sequence[Change], error: SignerError) -> None:
        self._disconnect(writes=True)
        for job in changes:
            self._stranded.update(job.stranded(self._open))
        _fail(changes, error)

    def _standings(self, connection: Connection, changes: Sequence[Change]) -> dict[Ids, Standing]:
        wanted = {ids for job in changes for ids in job.keys}
        known = {ids: self._open[ids] for ids in wanted if ids in self._open}
        missing = [ids for ids in wanted if ids not in known]
        if missing:
            known.update(read_standings(connection, missing))
        return known

    def _connected(self, *, writes: bool) -> Connection:
        """Reading has its own connection: it goes on when writing can't, and holds the WAL open on a disk too full to make another."""
        if self._engine is None:
            raise InternalError("the journal was not opened")
        connection = self._connections.get(writes)
        if connection is None:
            connection = self._engine.connect().execution_options(**(WRITER if writes else READER))
            self._connections[writes] = connection
        return connection

    def _disconnect(self, *, writes: bool) -> None:
        """Let go of a connection that failed, and of what it made us believe: now only the database knows what it holds."""
        connection = self._connections.pop(writes, None)
        if writes:
            self._head = None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def _deliver(self, jobs: Sequence[Job]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_deliver_all, list(jobs))


def _deliver_all(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.deliver()


def _fail(jobs: Sequence[Job], error: SignerError) -> None:
    for job in jobs:  # an exception each: tasks that raise the same one would lengthen each other's traceback
        job.result, job.error = None, type(error)(error.message, retry_after_s=error.retry_after_s)
        job.error.__cause__ = error.__cause__


def _unavailable(error: SQLAlchemyError) -> JournalUnavailable:
    cause = error.orig if isinstance(error, DBAPIError) else type(error).__name__
    unavailable = JournalUnavailable(f"the journal can't be used, so nothing is signed: {cause}", retry_after_s=_RETRY_AFTER_S)
    unavailable.__cause__ = error
    return unavailable


def _bug(error: Exception) -> InternalError:
    _log.error("journal_bug", exc_info=error)
    bug = InternalError(f"the journal failed on {type(error).__name__}")
    bug.__cause__ = error
    return bug
