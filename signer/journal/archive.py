"""The archive of evidence records (RFC 4998): what is kept of each, so that any document's own record can be given for decades.

A record is kept in parts: the ids of its documents, and for each ArchiveTimeStampChain the leaves of its hash tree, in the order of the
documents, with its TimeStampTokens. Everything else of it (reduced trees, encodings) follows from these. What is kept is never changed: a
renewal adds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, Table, func, insert, select, update

from signer.algorithms import DigestAlgorithm
from signer.errors import RequestIdReused, SignatureInProgress
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.model import NoteKind
from signer.journal.rows import read_released
from signer.store.statements import inserting
from signer.store.tables import evidence_chain, evidence_document, evidence_record, evidence_renewal, evidence_timestamp
from signer.store.times import microseconds, moment, moment_or_none

_IDS_AT_ONCE = 500
_INSERT_DOCUMENTS = inserting(evidence_document)


@dataclass(frozen=True, slots=True)
class StampedSpan:
    """first, latest: gen times of a record's first and latest timestamp. renew_before: until when the latest can be shown."""

    first: datetime
    latest: datetime
    renew_before: datetime


@dataclass(frozen=True, slots=True)
class EvidenceHead:
    """A record without its content. number: the newest has the highest. algorithm: of the last chain. timestamps: in all chains."""

    number: int
    record_id: str
    school_id: str
    request_id: str
    fingerprint: bytes
    documents: int
    algorithm: DigestAlgorithm
    span: StampedSpan
    chains: int
    timestamps: int


@dataclass(frozen=True, slots=True)
class KeptChain:
    """leaves: of the hash tree, in the documents' order. timestamps: TimeStampTokens, DER: of the tree's root, then its renewals'."""

    algorithm: DigestAlgorithm
    leaves: tuple[bytes, ...]
    timestamps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NewEvidence:
    """A record to keep.

    fingerprint: of ids and digests; there is one record a school, request and fingerprint. is_first_only: refuse a request that has a
    record of other documents; else it gets a further one.
    """

    record_id: str
    school_id: str
    request_id: str
    fingerprint: bytes
    document_ids: Sequence[str]
    chain: KeptChain
    span: StampedSpan
    is_first_only: bool


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a renewal adds to a record as it was read.

    new_chain: for a new hash tree, with its one timestamp; else `timestamp` joins the last chain. fingerprint: what makes two renewals of
    the same request_id the same.
    """

    before: EvidenceHead
    request_id: str
    fingerprint: bytes
    span: StampedSpan
    timestamp: bytes = b""
    new_chain: KeptChain | None = None


class EvidenceArchive:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def signed_documents(self, school_id: str, request_id: str) -> list[str]:
        """The ids of a signing request's documents whose signature is released, in order. Of the index alone: cheap for 10,000."""
        found: list[str] = await self._read(partial(read_released, school_id=school_id, request_id=request_id))
        return found

    async def find(self, school_id: str, record_id: str) -> EvidenceHead | None:
        """A school's record by its id; None for another school's."""
        where = evidence_record.c.school_id == school_id, evidence_record.c.record_id == record_id
        found = await self._heads(select(evidence_record).where(*where))
        return found[0] if found else None

    async def of_request(self, school_id: str, request_id: str) -> list[EvidenceHead]:
        """The records made under a request, newest first."""
        where = evidence_record.c.school_id == school_id, evidence_record.c.request_id == request_id
        return await self._heads(select(evidence_record).where(*where).order_by(evidence_record.c.number.desc()))

    async def page(self, school_id: str, *, limit: int, below: int | None, renew_before: datetime | None) -> list[EvidenceHead]:
        """Up to `limit` of a school's records, newest first: those numbered below `below`, to be renewed before `renew_before`."""
        query = select(evidence_record).where(evidence_record.c.school_id == school_id)
        if below is not None:
            query = query.where(evidence_record.c.number < below)
        if renew_before is not None:
            query = query.where(evidence_record.c.renew_before_us < microseconds(renew_before))
        return await self._heads(query.order_by(evidence_record.c.number.desc()).limit(limit))

    async def renewed_by(self, school_id: str, request_id: str) -> tuple[str, bytes] | None:
        """The id of the record that this request renewed, and the renewal's fingerprint; None if it renewed none."""
        found: tuple[str, bytes] | None = await self._read(partial(_read_renewal, school_id=school_id, request_id=request_id))
        return found

    async def chains(self, head: EvidenceHead) -> tuple[KeptChain, ...]:
        """What is kept of a record as it was when `head` was read."""
        found: tuple[KeptChain, ...] = await self._read(partial(_read_chains, head=head))
        return found

    async def positions(self, head: EvidenceHead, document_ids: Sequence[str]) -> dict[str, int]:
        """Where the leaves of these documents are; those that are not covered are left out."""
        found: dict[str, int] = await self._read(partial(_read_positions, number=head.number, document_ids=document_ids))
        return found

    async def document_ids(self, head: EvidenceHead) -> list[str]:
        """Every document's id, in the order of the leaves."""
        query = select(evidence_document.c.document_id).where(evidence_document.c.record == head.number)
        ordered = query.order_by(evidence_document.c.position)
        found: list[str] = await self._read(lambda connection: list(connection.execute(ordered).scalars()))
        return found

    async def earliest_renewal(self) -> datetime | None:
        """When the first record of any school must be renewed; None without records."""
        query = select(func.min(evidence_record.c.renew_before_us))
        found: int | None = await self._read(lambda connection: connection.execute(query).scalar_one_or_none())
        return moment_or_none(found)

    async def add(self, new: NewEvidence) -> EvidenceHead:
        """Keeps a new record. One that has the same fingerprint under the same request stands, and is returned instead.

        Raises:
            RequestIdReused: with `is_first_only`, a record of other documents was made under the request.
            JournalUnavailable: not written.
        """
        kept: EvidenceHead = await self._journal.run(_Add(asyncio.get_running_loop(), new))
        return kept

    async def renew(self, renewal: Renewal) -> EvidenceHead:
        """Adds a renewal to its record, which is returned as it is then.

        Raises:
            SignatureInProgress: the record was renewed otherwise since it was read: read it again.
            JournalUnavailable: not written.
        """
        kept: EvidenceHead = await self._journal.run(_Renew(asyncio.get_running_loop(), renewal))
        return kept

    async def _heads(self, query: Select[Any]) -> list[EvidenceHead]:
        found: list[EvidenceHead] = await self._read(lambda connection: [_head(row) for row in connection.execute(query)])
        return found

    async def _read(self, query: Any) -> Any:
        return await self._journal.run(Read(asyncio.get_running_loop(), query))


class _Add(Change):
    """Keep a record."""

    __slots__ = ("new",)

    def __init__(self, loop: asyncio.AbstractEventLoop, new: NewEvidence) -> None:
        super().__init__(loop)
        self.new = new

    def apply(self, connection: Connection, ledger: Ledger) -> EvidenceHead:
        """The record that stands."""
        new, chain = self.new, self.new.chain
        where = evidence_record.c.school_id == new.school_id, evidence_record.c.request_id == new.request_id
        for known in map(_head, connection.execute(select(evidence_record).where(*where))):
            if known.fingerprint == new.fingerprint:
                return known
            if new.is_first_only:
                raise RequestIdReused("an evidence record of other documents was made under this request_id", requestId=new.request_id)
        values = {
            "record_id": new.record_id,
            "school_id": new.school_id,
            "request_id": new.request_id,
            "fingerprint": new.fingerprint,
            "documents": len(new.document_ids),
            "digest_algorithm": chain.algorithm.value,
            "chains": 1,
            "timestamps": 1,
            **_span_values(new.span),
        }
        number: int = connection.execute(insert(evidence_record).values(values).returning(evidence_record.c.number)).scalar_one()
        rows = [(number, document_id, position) for position, document_id in enumerate(new.document_ids)]
        _INSERT_DOCUMENTS.execute(connection, rows)
        _insert_chain(connection, number, 0, chain)
        _insert_timestamp(connection, number, 0, 0, chain.timestamps[0])
        detail: dict[str, str | int] = {"school": new.school_id, "request": new.request_id, "documents": len(rows)}
        ledger.note(NoteKind.EVIDENCE_MADE, new.record_id, detail)
        return _by_number(connection, number)


class _Renew(Change):
    """Add to a record."""

    __slots__ = ("renewal",)

    def __init__(self, loop: asyncio.AbstractEventLoop, renewal: Renewal) -> None:
        super().__init__(loop)
        self.renewal = renewal

    def apply(self, connection: Connection, ledger: Ledger) -> EvidenceHead:
        """The record as it is then."""
        renewal, before = self.renewal, self.renewal.before
        now = _by_number(connection, before.number)
        if (now.chains, now.timestamps) != (before.chains, before.timestamps):
            raise SignatureInProgress("another renewal of this evidence record came first; repeat with the same ids", retry_after_s=1.0)
        chain, changed = now.chains - 1, _span_values(renewal.span) | {"timestamps": now.timestamps + 1}
        timestamp = renewal.timestamp
        if renewal.new_chain is not None:
            chain, timestamp = now.chains, renewal.new_chain.timestamps[0]
            changed |= {"chains": now.chains + 1, "digest_algorithm": renewal.new_chain.algorithm.value}
            _insert_chain(connection, now.number, chain, renewal.new_chain)
        _insert_timestamp(connection, now.number, now.timestamps, chain, timestamp)
        connection.execute(update(evidence_record).where(evidence_record.c.number == now.number).values(changed))
        named = {"school_id": now.school_id, "request_id": renewal.request_id, "record": now.number, "fingerprint": renewal.fingerprint}
        connection.execute(insert(evidence_renewal).values(named))
        detail: dict[str, str | int] = {"school": now.school_id, "request": renewal.request_id, "timestamps": now.timestamps + 1}
        ledger.note(NoteKind.EVIDENCE_RENEWED, now.record_id, detail)
        return _by_number(connection, now.number)


def _span_values(span: StampedSpan) -> dict[str, Any]:
    return {
        "first_time_us": microseconds(span.first),
        "latest_time_us": microseconds(span.latest),
        "renew_before_us": microseconds(span.renew_before),
    }


def _insert_chain(connection: Connection, number: int, chain: int, kept: KeptChain) -> None:
    _insert(connection, evidence_chain, number, chain, kept.algorithm.value, b"".join(kept.leaves))


def _insert_timestamp(connection: Connection, number: int, place: int, chain: int, timestamp: bytes) -> None:
    _insert(connection, evidence_timestamp, number, place, chain, timestamp)


def _insert(connection: Connection, table: Table, *row: Any) -> None:
    connection.execute(insert(table).values(row))


def _by_number(connection: Connection, number: int) -> EvidenceHead:
    return _head(connection.execute(select(evidence_record).where(evidence_record.c.number == number)).one())


def _head(row: Any) -> EvidenceHead:
    times = (row.first_time_us, row.latest_time_us, row.renew_before_us)
    return EvidenceHead(
        number=row.number,
        record_id=row.record_id,
        school_id=row.school_id,
        request_id=row.request_id,
        fingerprint=row.fingerprint,
        documents=row.documents,
        algorithm=DigestAlgorithm(row.digest_algorithm),
        span=StampedSpan(*(moment(time) for time in times)),
        chains=row.chains,
        timestamps=row.timestamps,
    )


def _read_renewal(connection: Connection, school_id: str, request_id: str) -> tuple[str, bytes] | None:
    query = select(evidence_record.c.record_id, evidence_renewal.c.fingerprint).join_from(
        evidence_renewal, evidence_record, evidence_renewal.c.record == evidence_record.c.number
    )
    row = connection.execute(
        query.where(evidence_renewal.c.school_id == school_id, evidence_renewal.c.request_id == request_id)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def _read_chains(connection: Connection, head: EvidenceHead) -> tuple[KeptChain, ...]:
    timestamps: list[list[bytes]] = [[] for _ in range(head.chains)]
    stamped = select(evidence_timestamp.c.chain, evidence_timestamp.c.content)
    mine = evidence_timestamp.c.record == head.number, evidence_timestamp.c.timestamp < head.timestamps
    for chain, content in connection.execute(stamped.where(*mine).order_by(evidence_timestamp.c.timestamp)):
        timestamps[chain].append(content)
    found = []
    kept = select(evidence_chain.c.digest_algorithm, evidence_chain.c.leaves).where(evidence_chain.c.record == head.number)
    rows = connection.execute(kept.order_by(evidence_chain.c.chain).limit(head.chains))
    for (name, leaves), given in zip(rows, timestamps, strict=True):
        algorithm = DigestAlgorithm(name)
        size = algorithm.size_bytes
        found.append(KeptChain(algorithm, tuple(leaves[at : at + size] for at in range(0, len(leaves), size)), tuple(given)))
    return tuple(found)


def _read_positions(connection: Connection, number: int, document_ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    query = select(evidence_document.c.document_id, evidence_document.c.position).where(evidence_document.c.record == number)
    for start in range(0, len(document_ids), _IDS_AT_ONCE):
        some = document_ids[start : start + _IDS_AT_ONCE]
        found.update((row[0], row[1]) for row in connection.execute(query.where(evidence_document.c.document_id.in_(some))))
    return found
