"""Reading the log: entries, proofs, the whole read through, and the account of signatures; archived or not (`shelves`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import Connection

from signer.errors import EntryNotFound, InvalidArgument
from signer.formats.merkle import consistency_proof, inclusion_proof
from signer.journal.chain import ChainReport, verify_chain
from signer.journal.entries import INTENT, NOTE
from signer.journal.ledger import rfc3339
from signer.journal.log_nodes import LogNodes
from signer.journal.model import OutcomeKind
from signer.journal.portions import read_members
from signer.journal.reading import Readings
from signer.journal.rows import count_entries
from signer.journal.shelves import LogEntry, Shelves
from signer.journal.states import KeptState, read_states

_T = TypeVar("_T")
_PORTION = 1_000
_SCANNED_MAX = 50_000
_SUBJECTS = {
    "credential": ("key-", "credential-", "certificate-"),
    "person": ("person-", "role-", "delegation-", "enrolment-", "factors-", "passkey-"),
}
"""Which notes, by how their names begin, are about one: it is their subject."""
_SIGNED = {OutcomeKind.RELEASED.value, OutcomeKind.PARKED.value}


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries. schools: None for all. kinds, notes: of an entry or of a note, either fits; None for any. start, end: when written."""

    schools: Collection[str] | None = None
    kinds: Collection[str] | None = None
    notes: Collection[str] = ()
    start: datetime | None = None
    end: datetime | None = None
    credential_id: str = ""
    person_id: str = ""
    request_id: str = ""
    document_id: str = ""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries, and where the next page begins; None at the log's end. A page may be short or empty where few entries fit."""

    entries: tuple[LogEntry, ...]
    following: int | None


@dataclass(slots=True)
class Account:
    """Of intents: what became of them. intents == signed + failed + unknown + open."""

    intents: int = 0
    signed: int = 0
    failed: int = 0
    unknown: int = 0

    @property
    def open(self) -> int:
        """Under way."""
        return self.intents - self.signed - self.failed - self.unknown


class _Seen(msgspec.Struct, omit_defaults=True):
    """What filters and accounts look at, of any entry."""

    at: str
    kind: str
    school: str = ""
    credential: str = ""
    request: str = ""
    document: str = ""
    follows: int = -1
    note: str = ""
    subject: str = ""
    detail: str | dict[str, str | int] = ""


_look = msgspec.json.Decoder(_Seen).decode


class JournalLog:
    """The door. archive: the folder of archived entries; None where there is none.

    Calls raise JournalUnavailable when the database can't be read. What needs an archived entry raises EntryArchived where its file is not
    there, and JournalDamaged where it was changed.
    """

    def __init__(self, readings: Readings, archive: Path | None = None) -> None:
        self._readings = readings
        self._archive = archive

    async def size(self) -> int:
        """How many entries there are."""
        return await self._run(count_entries)

    async def entry(self, index: int) -> LogEntry:
        """EntryNotFound when there is none."""
        found = await self.span(index, 1)
        if not found:
            raise EntryNotFound(f"the journal has no entry {index}", index=index)
        return found[0]

    async def span(self, first: int, count: int) -> list[LogEntry]:
        """Up to `count` entries from `first` on."""
        return await self._run(lambda connection: self._shelves(connection).entries(first, first + count))

    async def page(self, wanted: LogFilter, *, start: int | None, newest_first: bool, limit: int) -> LogPage:
        """Entries that fit, from `start` on in the direction asked for; None to begin. Reads some ten thousand entries at most."""
        return await self._run(
            lambda connection: _page(self._shelves(connection), wanted, start=start, newest_first=newest_first, limit=limit)
        )

    async def inclusion(self, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        """Leaf hash and proof (RFC 9162 2.1.3). EntryNotFound, InvalidArgument."""
        await self._require_size(size)
        if index >= await self.size():
            raise EntryNotFound(f"the journal has no entry {index}", index=index)
        return await self._run(lambda connection: _inclusion(LogNodes(connection), index, size))

    async def consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """That the log of one size begins with that of another (2.1.4). InvalidArgument."""
        await self._require_size(second)
        return await self._run(lambda connection: consistency_proof(LogNodes(connection), first, second))

    async def verify(self, witnessed: Mapping[int, bytes], on_progress: Callable[[int], None]) -> ChainReport:
        """Reads the whole log through (`chain`). on_progress: called in another thread. JournalDamaged for one that does not hold."""
        return await self._run(lambda connection: verify_chain(connection, witnessed, on_progress, archive=self._archive))

    async def account(self, wanted: LogFilter) -> dict[str, Account]:
        """What became of the intents that fit, by credential. Reads the whole log."""
        return await self._run(lambda connection: _account(self._shelves(connection), wanted))

    async def states(
        self, school_id: str, request_id: str, document_ids: Sequence[str] | None, *, after: str = "", limit: int = 0
    ) -> list[KeptState]:
        """What became of a request's signatures: of these ids, as far as they are known; or of all by id, `limit` from `after` on."""
        return await self._run(lambda connection: read_states(connection, school_id, request_id, document_ids, after=after, limit=limit))

    async def _require_size(self, size: int) -> None:
        there = await self.size()
        if not 0 < size <= there:
            raise InvalidArgument(f"the journal has {there} entries: a size of {size} can't be proven", field="tree_size")

    async def _run(self, read: Callable[[Connection], _T]) -> _T:
        return await self._readings.run(read)

    def _shelves(self, connection: Connection) -> Shelves:
        return Shelves(connection, self._archive)


def _inclusion(nodes: LogNodes, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
    return nodes.node(0, index), inclusion_proof(nodes, index, size)


def _page(shelves: Shelves, wanted: LogFilter, *, start: int | None, newest_first: bool, limit: int) -> LogPage:
    size = count_entries(shelves.connection)
    at = (size - 1 if newest_first else 0) if start is None else start
    found: list[LogEntry] = []
    scanned = 0
    while 0 <= at < size and len(found) < limit and scanned < _SCANNED_MAX:
        shelf = shelves.shelf(at)
        if shelves.passes(at, wanted.start, wanted.end):
            at = shelf.first - 1 if newest_first else shelf.end
            continue
        first, end = (max(shelf.first, at - _PORTION + 1), at + 1) if newest_first else (at, min(shelf.end, at + _PORTION))
        portion = shelves.entries(first, end)
        for entry in reversed(portion) if newest_first else portion:
            if _fits(_look(entry.body), wanted):
                found.append(entry)
                if len(found) == limit:
                    at = entry.index + (-1 if newest_first else 1)
                    break
        else:
            at = first - 1 if newest_first else end
        scanned += len(portion)
    return LogPage(tuple(_with_completions(shelves.connection, found)), at if 0 <= at < size else None)


def _with_completions(connection: Connection, found: Sequence[LogEntry]) -> Iterator[LogEntry]:
    """A released outcome that follows a parked one is a timestamp's."""
    followed = {entry.index: _look(entry.body).follows for entry in found if entry.kind == OutcomeKind.RELEASED.value}
    members = read_members(connection, set(followed.values()))
    parked = {index for index, each in members.items() if each["kind"] == OutcomeKind.PARKED.value}
    return (replace(entry, completes=True) if followed.get(entry.index) in parked else entry for entry in found)


def _fits(seen: _Seen, wanted: LogFilter) -> bool:
    detail = seen.detail if isinstance(seen.detail, dict) else {}
    if wanted.schools is not None and (seen.school or detail.get("school", "")) not in wanted.schools:
        return False
    if wanted.kinds is not None and seen.kind not in wanted.kinds and seen.note not in wanted.notes:
        return False
    if (wanted.start is not None and seen.at < rfc3339(wanted.start)) or (wanted.end is not None and seen.at >= rfc3339(wanted.end)):
        return False
    asked = {
        "credential": wanted.credential_id,
        "person": wanted.person_id,
        "request": wanted.request_id,
        "document": wanted.document_id,
    }
    return all(not value or value in _named(seen, detail, name) for name, value in asked.items())


def _named(seen: _Seen, detail: Mapping[str, str | int], name: str) -> set[str]:
    """What an entry calls its credential, person, request or document."""
    about = seen.subject if seen.note.startswith(_SUBJECTS.get(name, ())) else ""
    return {str(getattr(seen, name, "")), str(detail.get(name, "")), about}


def _account(shelves: Shelves, wanted: LogFilter) -> dict[str, Account]:
    accounts: dict[str, Account] = {}
    open_intents: dict[int, str] = {}
    size, at = count_entries(shelves.connection), 0
    while at < size:
        shelf = shelves.shelf(at)
        if shelves.passes(at, wanted.start):  # of intents that are too early: their outcomes count for nobody
            at = shelf.end
            continue
        end = min(shelf.end, at + _PORTION)
        for entry in shelves.entries(at, end):
            seen = _look(entry.body)
            if seen.kind == INTENT:
                if seen.credential and _fits(seen, wanted):
                    accounts.setdefault(seen.credential, Account()).intents += 1
                    open_intents[entry.index] = seen.credential
            elif seen.kind != NOTE and (credential := open_intents.pop(seen.follows, None)) is not None:
                _count(accounts[credential], seen.kind)
        at = end
    return accounts


def _count(account: Account, kind: str) -> None:
    if kind in _SIGNED:
        account.signed += 1
    elif kind == OutcomeKind.UNKNOWN.value:
        account.unknown += 1
    else:
        account.failed += 1
