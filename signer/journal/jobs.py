from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from signer.errors import InvalidArgument, JournalDamaged
from signer.journal.ledger import Ids, Ledger, ids_of, rfc3339
from signer.journal.model import Intent, NoteKind, Outcome, OutcomeKind, SignatureState, Stored
from signer.journal.replacing import replace_record
from signer.journal.shared import forget_runs, read_run, unpack_shared
from signer.journal.uses import keep_uses, new_uses
from signer.store.tables import counter, material, signature
from signer.store.times import microseconds

SERIAL_MAX = 2**63 - 1
_TSA_COUNTER = "tsa-serial"
_TSA_TIME_COUNTER = "tsa-time"
_STATES = {state.value: state for state in SignatureState}

StoredRow = tuple[bytes, str, int, bytes | None, int | None, bytes | None]
"""fingerprint, state, attempts, material's SHA-256, its encoding and content (None when there is none, or no more)."""


def _unpacked(row: StoredRow, resolve: Callable[[bytes], bytes | None]) -> Stored:
    fingerprint, state, attempts, digest, encoding, content = row
    runs: list[bytes] = []

    def resolved(sha256_of_run: bytes) -> bytes | None:
        run = resolve(sha256_of_run)
        runs.extend([run] if run is not None else [])
        return run

    whole = b"" if encoding is None or content is None else unpack_shared(encoding, content, resolved)
    if content is not None and sha256(whole).digest() != digest:
        raise JournalDamaged("stored signature material is not what was settled: verify the journal")
    return Stored(fingerprint, _STATES[state], attempts, whole, digest or b"", tuple(runs))


class Job:
    """A call on its way to the writer's thread and back. `result` or `error` is set there; `deliver` wakes the caller, on its loop."""

    __slots__ = ("error", "future", "result")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def deliver(self) -> None:
        """Wake the caller, unless it went away."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class LookUp(Job):
    """Read what stands under `keys`; all that wait are read at once, before the group's changes."""

    __slots__ = ("keys",)

    def __init__(self, loop: asyncio.AbstractEventLoop, keys: Sequence[Ids]) -> None:
        super().__init__(loop)
        self.keys = keys

    def read(self, connection: Connection, stored: Mapping[Ids, StoredRow]) -> dict[Ids, Stored]:
        """Its own part of what was read for all."""
        if not stored:
            return {}
        resolve = cache(partial(read_run, connection))
        return {ids: _unpacked(stored[ids], resolve) for ids in self.keys if ids in stored}


class Read(Job):
    """Any other query, before the group's changes."""

    __slots__ = ("query",)

    def __init__(self, loop: asyncio.AbstractEventLoop, query: Callable[[Connection], Any]) -> None:
        super().__init__(loop)
        self.query = query

    def read(self, connection: Connection, stored: Mapping[Ids, StoredRow]) -> Any:  # noqa: ARG002
        """Its answer."""
        return self.query(connection)


class Stop(Job):
    """End the thread once everything before it is done."""

    __slots__ = ()


class Change(Job, ABC):
    """A call that is answered when its group is committed.

    keys: the rows it needs. A SignerError from `apply` is this call's alone and must leave the ledger as it was.
    """

    __slots__ = ("keys",)

    def __init__(self, loop: asyncio.AbstractEventLoop, keys: Sequence[Ids] = ()) -> None:
        super().__init__(loop)
        self.keys = keys

    @abstractmethod
    def apply(self, connection: Connection, ledger: Ledger) -> Any:
        """Add to the group's changes; the answer."""

    def stranded(self, held: Collection[Ids]) -> Sequence[Ids]:  # noqa: ARG002 (for those that override it)
        """When the group failed: keys whose attempt will get no outcome from this call. `held`: keys this run knows to be under way."""
        return ()


class Intend(Change):
    """Make intents durable."""

    __slots__ = ("intents",)

    def __init__(self, loop: asyncio.AbstractEventLoop, intents: Sequence[Intent]) -> None:
        super().__init__(loop, [ids_of(intent.key) for intent in intents])
        self.intents = intents

    def apply(self, connection: Connection, ledger: Ledger) -> list[int]:
        """The attempt numbers."""
        uses = new_uses(connection, self.intents)
        attempts = ledger.intend(self.intents)
        keep_uses(connection, uses)
        return attempts

    def stranded(self, held: Collection[Ids]) -> Sequence[Ids]:
        """All that no other call holds: a commit that reported failure may yet have reached the disk."""
        return [ids for ids in self.keys if ids not in held]


class Abandon(Change):
    """The caller of `intend` went away before it learned the attempt numbers: no key was used, and none will be."""

    __slots__ = ("intend",)

    def __init__(self, loop: asyncio.AbstractEventLoop, intend: Intend) -> None:
        super().__init__(loop, intend.keys)
        self.intend = intend

    def apply(self, connection: Connection, ledger: Ledger) -> None:  # noqa: ARG002
        """Settle them as failed."""
        if self.intend.error is None and self.intend.result is not None:
            ledger.give_up(zip(self.intend.keys, self.intend.result, strict=True), OutcomeKind.FAILED, "cancelled before the key was used")

    def stranded(self, held: Collection[Ids]) -> Sequence[Ids]:  # noqa: ARG002
        """Its own attempts, if it had any."""
        return self.keys if self.intend.error is None else ()

    def deliver(self) -> None:
        """Nobody waits."""


class Settle(Change):
    """Make outcomes durable."""

    __slots__ = ("outcomes",)

    def __init__(self, loop: asyncio.AbstractEventLoop, outcomes: Sequence[Outcome]) -> None:
        super().__init__(loop, [ids_of(outcome.key) for outcome in outcomes])
        self.outcomes = outcomes

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        """Settle them; a sealed replacement takes its place."""
        filled = len(ledger.slots)
        ledger.settle(self.outcomes)
        for each in ledger.slots[filled:]:
            if each.completes_replacement:
                replace_record(connection, ledger, each)

    def stranded(self, held: Collection[Ids]) -> Sequence[Ids]:  # noqa: ARG002
        """All: their callers are told that nothing was released."""
        return self.keys


class Note(Change):
    """Make a note durable."""

    __slots__ = ("detail", "kind", "subject")

    def __init__(self, loop: asyncio.AbstractEventLoop, kind: NoteKind, subject: str, detail: dict[str, str | int]) -> None:
        super().__init__(loop)
        self.kind, self.subject, self.detail = kind, subject, detail

    def apply(self, connection: Connection, ledger: Ledger) -> None:  # noqa: ARG002
        """Add it."""
        ledger.note(self.kind, self.subject, self.detail)


class ReserveSerials(Change):
    """Hand out numbers that are never handed out again."""

    __slots__ = ("count",)

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        super().__init__(loop)
        self.count = count

    def apply(self, connection: Connection, ledger: Ledger) -> range:  # noqa: ARG002
        """The numbers; they count as used from here on, whatever becomes of them."""
        first = connection.execute(select(counter.c.next_value).where(counter.c.name == _TSA_COUNTER)).scalar_one_or_none()
        if first is None:
            first = 1
            connection.execute(insert(counter).values(name=_TSA_COUNTER, next_value=first + self.count))
        elif first > SERIAL_MAX - self.count:
            raise InvalidArgument("no serial numbers are left", field="count")
        else:
            connection.execute(update(counter).where(counter.c.name == _TSA_COUNTER).values(next_value=first + self.count))
        return range(first, first + self.count)


class ReserveTime(Change):
    """Hand out the time up to a moment, to one caller."""

    __slots__ = ("until_us",)

    def __init__(self, loop: asyncio.AbstractEventLoop, until_us: int) -> None:
        super().__init__(loop)
        self.until_us = until_us

    def apply(self, connection: Connection, ledger: Ledger) -> int:  # noqa: ARG002
        """Up to when it had been handed out before, in microseconds; 0 for never."""
        before = connection.execute(select(counter.c.next_value).where(counter.c.name == _TSA_TIME_COUNTER)).scalar_one_or_none()
        if before is None:
            connection.execute(insert(counter).values(name=_TSA_TIME_COUNTER, next_value=self.until_us))
        elif before < self.until_us:
            connection.execute(update(counter).where(counter.c.name == _TSA_TIME_COUNTER).values(next_value=self.until_us))
        return before or 0


class ForgetMaterial(Change):
    """Delete up to `count` released signatures' material stored before `before`; parked ones keep theirs, to be completed."""

    __slots__ = ("before", "count")

    def __init__(self, loop: asyncio.AbstractEventLoop, before: datetime, count: int) -> None:
        super().__init__(loop)
        self.before, self.count = before, count

    def apply(self, connection: Connection, ledger: Ledger) -> int:
        """How many were deleted, noted in the journal."""
        parked = select(signature.c.outcome).where(signature.c.state == SignatureState.PARKED.value)
        old = (
            select(material.c.outcome)
            .where(material.c.stored_at_us < microseconds(self.before), material.c.outcome.not_in(parked))
            .order_by(material.c.stored_at_us)
            .limit(self.count)
        )
        deleted = connection.execute(delete(material).where(material.c.outcome.in_(old))).rowcount
        if deleted < self.count:
            forget_runs(connection, microseconds(self.before), parked)
        if deleted:
            ledger.note(NoteKind.MATERIAL_FORGOTTEN, "journal", {"before": rfc3339(self.before), "count": deleted})
        return deleted
