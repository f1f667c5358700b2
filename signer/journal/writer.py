from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from signer.errors import ConfigError, InternalError, InvalidArgument, JournalUnavailable, SignerError
from signer.journal.committing import Committer
from signer.journal.jobs import Change, Job, LookUp, Read, Stop
from signer.journal.rows import read_stored
from signer.store import open_engine
from signer.store.access import READER
from signer.store.engine import told
from signer.store.sharing import sharing_of

_RETRY_AFTER_S = 1.0
_UNFIT_VALUES = (DataError, UnicodeError, OverflowError)
_UNFIT = (*_UNFIT_VALUES, IntegrityError)
"""One call's fault: those that came together with it are done without it."""
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
        self._committer: Committer | None = None
        self._reader: Connection | None = None
        self._has_company = False
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
        return self._committer is not None and self._committer.is_own(index)

    def _run(self) -> None:
        last: Sequence[Job] = [self._ready]
        try:
            self._engine = open_engine(self._url, busy_timeout_s=self._busy_timeout_s)
            self._committer = Committer(self._engine, sharing_of(self._engine, self._url), self._clock)
            self._committer.start()
            self._deliver([self._ready])
            last = self._serve(self._committer)
        except SQLAlchemyError as error:
            self._ready.error = _unavailable(error)
        except SignerError as error:
            self._ready.error = error
        except Exception as error:  # noqa: BLE001 (whoever waits for the start must hear of it)
            self._ready.error = _bug(error)
        finally:
            self._disconnect()
            if self._committer is not None:
                self._committer.close()
            self._deliver(last)

    def _serve(self, committer: Committer) -> Sequence[Job]:
        """Until a Stop, which is returned: its caller is to be woken when the database is closed."""
        while True:
            changes, stops = self._gather(committer.look_s)
            if changes:
                self._change(committer, changes)
            if stops:
                return stops
            self._look(committer)

    def _look(self, committer: Committer) -> None:
        try:
            committer.look()
        except Exception as error:  # noqa: BLE001 (the thread goes on, and looks again)
            _log.warning("journal_not_looked_through: %s", _failure(error).message)

    def _gather(self, look_s: float | None) -> tuple[list[Change], list[Stop]]:
        """The changes of the next commit. Reads are answered as they come. look_s: return with nothing after so long; None for never.

        A commit waits for company only if the one before had some: under load it costs half as much, and who is alone waits for nobody.
        """
        changes: list[Change] = []
        is_bounded = False
        until = None if look_s is None else time.monotonic() + look_s
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
            if changes and not is_bounded:
                until, is_bounded = time.monotonic() + self._commit_interval_s, True
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
            connection = self._reading()
            with connection.begin():
                stored = read_stored(connection, {ids for job in jobs if isinstance(job, LookUp) for ids in job.keys})
                for job in jobs:
                    job.error = None
                    try:
                        job.result = job.read(connection, stored)
                    except SignerError as error:
                        job.error = error
        except Exception as error:  # noqa: BLE001 (callers must be woken and the thread go on, whatever our bug is)
            self._disconnect()
            if isinstance(error, _UNFIT) and len(jobs) > 1:
                for job in jobs:
                    self._read([job])
            else:
                _fail(jobs, _failure(error))

    def _change(self, committer: Committer, changes: Sequence[Change]) -> None:
        started = time.perf_counter()
        try:
            entries = committer.commit(changes)
        except Exception as error:  # noqa: BLE001 (as above)
            committer.strand(changes)
            if isinstance(error, _UNFIT) and len(changes) > 1:
                for job in changes:
                    self._change(committer, [job])
                return
            _fail(changes, _failure(error))
            self._deliver(changes)
            return
        self._deliver(changes)
        try:
            self._on_commit(entries, time.perf_counter() - started)
        except Exception:  # noqa: BLE001 (someone else's, and no reason to stop)
            _log.exception("journal_observer_failed")

    def _reading(self) -> Connection:
        """Reading has its own connection: it goes on when writing can't, and holds the WAL open on a disk too full to make another."""
        if self._engine is None:
            raise InternalError("the journal was not opened")
        if self._reader is None:
            self._reader = self._engine.connect().execution_options(**READER)
        return self._reader

    def _disconnect(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(SQLAlchemyError):
                reader.close()

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


def _failure(error: Exception) -> SignerError:
    if isinstance(error, _UNFIT_VALUES):
        unfit = InvalidArgument("the database can't keep a value of this call: a text with a NUL, or one or a number that is too long")
        unfit.__cause__ = error
        return unfit
    return _unavailable(error) if isinstance(error, SQLAlchemyError | ConfigError) else _bug(error)


def _unavailable(error: SQLAlchemyError | ConfigError) -> JournalUnavailable:
    """A ConfigError once it runs: a password's file that went, a server that was changed."""
    why = error.message if isinstance(error, ConfigError) else told(error)
    unavailable = JournalUnavailable(f"the journal can't be used, so nothing is signed: {why}", retry_after_s=_RETRY_AFTER_S)
    unavailable.__cause__ = error
    return unavailable


def _bug(error: Exception) -> InternalError:
    _log.error("journal_bug", exc_info=error)
    bug = InternalError(f"the journal failed on {type(error).__name__}")
    bug.__cause__ = error
    return bug
