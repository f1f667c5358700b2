from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from signer.errors import InvalidArgument, JournalUnavailable
from signer.journal.jobs import (
    SERIAL_MAX,
    Abandon,
    ForgetMaterial,
    Intend,
    Job,
    LookUp,
    Note,
    Read,
    ReserveSerials,
    ReserveTime,
    Settle,
    Stop,
)
from signer.journal.ledger import Ids, ids_of
from signer.journal.model import Accounting, Intent, NoteKind, Outcome, Stored
from signer.journal.reports import accounting
from signer.journal.rows import count_entries, count_parked, read_parked
from signer.journal.writer import CommitObserver, Writer
from signer.model import SignatureKey
from signer.store.engine import BUSY_TIMEOUT_S
from signer.store.times import microseconds, moment

_FORGET_AT_ONCE = 1_000
_JSON_INTEGER_MAX = 2**53


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _ignore_commit(_entries: int, _seconds: float, /) -> None:
    pass


class Journal:
    """The door: every call is answered when it is durable, or raises JournalUnavailable and has changed nothing.

    url: `sqlite:///path`. on_commit: told of each commit (entries, seconds), on the journal's thread. commit_interval_s: how long a commit
    waits for company if the one before had some; 0 takes what is there, and whatever arrives meanwhile goes with the next.
    commit_calls_max: calls in one commit. Used from one event loop. A caller that is cancelled inside `intend` owes nothing: its attempts
    are settled as failed.
    """

    def __init__(
        self,
        url: str,
        *,
        on_commit: CommitObserver = _ignore_commit,
        clock: Any = _utc_now,
        commit_interval_s: float = 0.0,
        commit_calls_max: int = 4096,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self._url = url
        self._writer_options = {
            "on_commit": on_commit,
            "clock": clock,
            "commit_interval_s": commit_interval_s,
            "commit_calls_max": commit_calls_max,
            "busy_timeout_s": busy_timeout_s,
        }
        self._writer: Writer | None = None

    async def start(self) -> None:
        """Open the database (created when missing), and settle as UNKNOWN what an earlier run left open.

        Raises:
            ConfigError: the database can't be used, or another process uses it.
            JournalUnavailable: it is locked, or its disk is full.
        """
        writer = Writer(self._url, loop=asyncio.get_running_loop(), **self._writer_options)
        await writer.start()
        self._writer = writer

    async def stop(self) -> None:
        """Finish what was asked, close the database. Calls after this raise JournalUnavailable."""
        writer, self._writer = self._writer, None
        if writer is not None:
            stop = Stop(asyncio.get_running_loop())
            writer.submit(stop)
            await stop.future

    async def look_up(self, keys: Sequence[SignatureKey]) -> dict[SignatureKey, Stored]:
        """What the journal holds of `keys`; those it never heard of are left out. Answered also while nothing can be written.

        Raises:
            JournalUnavailable: the database can't be read.
            JournalDamaged: stored material is spoiled.
        """
        by_ids = {_checked(key): key for key in keys}
        found: dict[Ids, Stored] = await self.run(LookUp(asyncio.get_running_loop(), list(by_ids)))
        return {by_ids[ids]: stored for ids, stored in found.items()}

    async def parked(self, *, after: int = -1, limit: int) -> list[tuple[int, SignatureKey]]:
        """Up to `limit` signatures that wait for their timestamp, oldest first, each with the entry of its outcome.

        after: the last entry that an earlier call gave, so that one which can't be completed does not hide those behind it.

        Raises:
            JournalUnavailable: the database can't be read.
        """
        query = partial(read_parked, after=after, limit=limit)
        found: list[tuple[int, Ids]] = await self.run(Read(asyncio.get_running_loop(), query))
        return [(outcome, SignatureKey(*ids)) for outcome, ids in found]

    async def parked_count(self) -> int:
        """How many signatures wait for their timestamp; cheap."""
        count: int = await self.run(Read(asyncio.get_running_loop(), count_parked))
        return count

    async def entry_count(self) -> int:
        """How many entries there are; cheap."""
        count: int = await self.run(Read(asyncio.get_running_loop(), count_entries))
        return count

    async def intend(self, intents: Sequence[Intent]) -> list[int]:
        """Write down that keys are about to be used; the attempt number of each, 1 for the first. All of them, or none.

        Raises:
            RequestIdReused: other content stands under these ids.
            SignatureInProgress: another attempt is under way.
            SignatureSettled: the signature is released or parked already.
            JournalUnavailable: not written: no key may be used.
        """
        for intent in intents:
            _checked(intent.key)
        job = Intend(asyncio.get_running_loop(), intents)
        try:
            attempts: list[int] = await self.run(job)
        except asyncio.CancelledError:
            if self._writer is not None:
                self._writer.submit(Abandon(asyncio.get_running_loop(), job))
            raise
        return attempts

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Write down how attempts ended; only after this returns may a signature be released. All of them, or none.

        When it raises JournalUnavailable, nothing may be released; it may be repeated, or the attempt left: a later `intend` of the same
        ids, or the next start, then settles it as UNKNOWN. Cancelling does not take it back.

        Raises:
            SignatureSettled: an attempt has its outcome already, or was given up: withhold the signature, look up what stands.
            JournalUnavailable: not written.
        """
        await self.run(Settle(asyncio.get_running_loop(), outcomes))

    async def note(self, kind: NoteKind, subject: str, detail: Mapping[str, str | int] | None = None) -> None:
        """Write down something else. detail: identifiers and counts, no pupil's data, no secret.

        Raises:
            InvalidArgument: an integer that JSON can't hold exactly (beyond 2^53).
            JournalUnavailable: not written.
        """
        values = dict(detail or {})
        for name, value in values.items():
            if isinstance(value, int) and abs(value) > _JSON_INTEGER_MAX:
                raise InvalidArgument(f"note detail {name} is beyond 2^53: write it as text", field=name)
        await self.run(Note(asyncio.get_running_loop(), kind, subject, values))

    async def reserve_serials(self, count: int) -> range:
        """`count` serial numbers for timestamps, ascending from 1, that no call gets again: not after a restart, not after a crash.

        Raises:
            InvalidArgument: `count` is below 1, or the numbers (63 bits) are used up.
            JournalUnavailable: not written: use none.
        """
        if not 1 <= count <= SERIAL_MAX:
            raise InvalidArgument("count must be at least 1", field="count")
        serials: range = await self.run(ReserveSerials(asyncio.get_running_loop(), count))
        return serials

    async def reserve_time(self, until: datetime) -> datetime:
        """Reserve the time up to `until` (aware) for ordered timestamps; returns up to when it was reserved before, by whomever.

        What lies before that moment is another's: of an earlier run, or of another daemon on this journal. The year 1970 for nobody.

        Raises:
            JournalUnavailable: not written: use none of it.
        """
        before_us: int = await self.run(ReserveTime(asyncio.get_running_loop(), microseconds(until)))
        return moment(before_us)

    async def forget_material(self, before: datetime) -> int:
        """Delete the material of released signatures settled before `before` (aware); its SHA-256 and the state stay. Returns how many.

        Parked signatures keep theirs: it is all that can complete them. In portions, so that signing goes on beside it.
        """
        total = 0
        while True:
            deleted: int = await self.run(ForgetMaterial(asyncio.get_running_loop(), before, _FORGET_AT_ONCE))
            total += deleted
            if deleted < _FORGET_AT_ONCE:
                return total

    async def accounting(self) -> Accounting:
        """Count every intent and what came of it. Reads the whole journal: not for a metric."""
        counts: Accounting = await self.run(Read(asyncio.get_running_loop(), accounting))
        return counts

    def is_own(self, index: int) -> bool:
        """Whether this daemon wrote the entry, lately; for a query of `run`."""
        return self._writer is not None and self._writer.is_own(index)

    async def run(self, job: Job) -> Any:
        """What a job of this room comes to, on the writer's thread: for doors beside this one (`archive`)."""
        if self._writer is None:
            raise JournalUnavailable("the journal is closed")
        self._writer.submit(job)
        return await job.future


def _checked(key: SignatureKey) -> Ids:
    """The key as columns.

    Raises:
        InvalidArgument: a part of it is no text that a database can hold.
    """
    ids = ids_of(key)
    for field, part in zip(("school_id", "request_id", "document_id"), ids, strict=True):
        if not part.isascii():
            try:
                part.encode()
            except UnicodeEncodeError as error:
                raise InvalidArgument(f"{field} is not valid Unicode", field=field) from error
        if "\0" in part:
            raise InvalidArgument(f"{field} contains a NUL", field=field)
    return ids
