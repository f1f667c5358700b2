"""The journal's SQL: rows read for a group, rows written by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, String, and_, column, delete, exists, func, literal_column, or_, select, values

from signer.formats.merkle import Range
from signer.journal.entries import CHAIN_START
from signer.journal.jobs import StoredRow
from signer.journal.ledger import Head, Ids, Ledger, Standing
from signer.journal.log_nodes import read_range
from signer.journal.model import SignatureState
from signer.journal.record_rows import write_slots
from signer.journal.shared import write_runs
from signer.store.log_tables import log_node
from signer.store.statements import ManyRows, inserting, upserting
from signer.store.tables import journal_entry, material, signature


def read_head(connection: Connection, remembered: Head | None = None) -> Head:
    """Where the journal ends. remembered: where it once did, which saves reading most of it again."""
    last = connection.execute(_LAST).one_or_none()
    if last is None:
        return Head(Range(), CHAIN_START)
    size = last[0] + 1
    if remembered is not None and (size, last[1]) == (remembered.next_index, remembered.chain_hash):
        return remembered
    log = None if remembered is None else _caught_up(connection, remembered, size)
    return Head(log or read_range(connection, size), last[1])


def _caught_up(connection: Connection, remembered: Head, size: int) -> Range | None:
    """The log with what others appended since; None where that is much, or another past stands there (a restore, a failover)."""
    if not 0 < size - remembered.next_index <= _CATCH_UP_MAX:
        return None
    columns, log = journal_entry.c, remembered.log
    query = select(columns.leaf_hash, columns.chain_hash).where(columns.entry_index >= max(0, log.size - 1), columns.entry_index < size)
    rows = list(connection.execute(query.order_by(columns.entry_index)))
    if log.size and rows and rows.pop(0).chain_hash != remembered.chain_hash:
        return None
    for row in rows:
        log, _complete = log.extended(row.leaf_hash)
    return log if log.size == size else None


def count_entries(connection: Connection) -> int:
    """How many there are."""
    last = connection.execute(select(func.max(journal_entry.c.entry_index))).scalar_one()
    return 0 if last is None else last + 1


def read_open_daemons(connection: Connection) -> set[int | None]:
    """Whose attempts without an outcome there are; None for those of a release that did not tell."""
    return set(connection.execute(select(signature.c.daemon).where(signature.c.open_intent.is_not(None)).distinct()).scalars())


def read_open(connection: Connection, daemons: Collection[int | None]) -> dict[Ids, Standing]:
    """The rows of these daemons' attempts without an outcome."""
    theirs = signature.c.daemon.in_([daemon for daemon in daemons if daemon is not None])
    is_wanted = or_(theirs, signature.c.daemon.is_(None)) if None in daemons else theirs
    rows = connection.execute(select(signature).where(signature.c.open_intent.is_not(None), is_wanted))
    return {standing[:3]: standing for standing in (Standing(*row) for row in rows)}


def read_standings(connection: Connection, wanted: Sequence[Ids]) -> dict[Ids, Standing]:
    """The rows of `wanted`, as far as there are any."""
    return {row[:3]: Standing(*row) for row in _FETCH_STANDINGS.fetch(connection, _without_new_requests(connection, wanted))}


def _without_new_requests(connection: Connection, wanted: Sequence[Ids]) -> Sequence[Ids]:
    """Those there may be rows of. A call of many digests is a new request as a rule: one look tells, where each digest's costs 3 µs."""
    if len(wanted) < _MANY:
        return wanted
    counts = Counter(ids[:2] for ids in wanted)
    new = {request for request, count in counts.items() if count >= _MANY and not _is_known(connection, request)}
    return [ids for ids in wanted if ids[:2] not in new] if new else wanted


def _is_known(connection: Connection, request: tuple[str, str]) -> bool:
    [(is_any,)] = _IS_ANY.fetch(connection, [request])
    return bool(is_any)


def read_stored(connection: Connection, wanted: Iterable[Ids]) -> dict[Ids, StoredRow]:
    """What stands under `wanted`, its material still packed."""
    return {row[:3]: row[3:] for row in _FETCH_STORED.fetch(connection, list(wanted))}


def read_parked(connection: Connection, after: int, limit: int) -> list[tuple[int, Ids]]:
    """Up to `limit` parked signatures whose outcome stands after entry `after`, oldest first: that entry, and the key."""
    columns = (signature.c.outcome, signature.c.school_id, signature.c.request_id, signature.c.document_id)
    rows = connection.execute(select(*columns).where(_IS_PARKED, signature.c.outcome > after).order_by(signature.c.outcome).limit(limit))
    return [(outcome, tuple(ids)) for outcome, *ids in rows]


def count_parked(connection: Connection) -> int:
    """How many signatures wait for their timestamp."""
    return connection.execute(select(func.count()).select_from(signature).where(_IS_PARKED)).scalar_one()


def read_released(connection: Connection, school_id: str, request_id: str) -> list[str]:
    """The document ids of a request whose signatures are released, in order."""
    where = signature.c.school_id == school_id, signature.c.request_id == request_id, signature.c.state == SignatureState.RELEASED.value
    return list(connection.execute(select(signature.c.document_id).where(*where).order_by(signature.c.document_id)).scalars())


def write(connection: Connection, ledger: Ledger) -> None:
    """All that a group adds and changes."""
    _INSERT_ENTRIES.execute(connection, ledger.entries)
    _INSERT_NODES.execute(connection, ledger.nodes)
    _UPSERT_SIGNATURES.execute(connection, list(ledger.changed.values()))
    if ledger.superseded:
        connection.execute(delete(material).where(material.c.outcome.in_(ledger.superseded)))
    _INSERT_MATERIALS.execute(connection, ledger.materials)
    write_runs(connection, ledger.runs, ledger.now_us)
    if ledger.slots:
        write_slots(connection, ledger.slots, ledger.now_us)


def _of_wanted(query: Select[Any], count: int) -> Select[Any]:
    """The rows of `count` keys. Joined, not `IN`: SQLite answers a row-value IN over VALUES by reading the whole table."""
    columns = [column(part.name, String) for part in signature.primary_key]
    wanted = values(*columns, name="wanted").data([("", "", "")] * count).cte("wanted")
    return query.join_from(signature, wanted, and_(*(part == wanted.c[part.name] for part in signature.primary_key)))


_STORED = select(
    signature.c.school_id,
    signature.c.request_id,
    signature.c.document_id,
    signature.c.fingerprint,
    signature.c.state,
    signature.c.attempts,
    signature.c.material_sha256,
    material.c.encoding,
    material.c.content,
).join_from(signature, material, material.c.outcome == signature.c.outcome, isouter=True)

_LAST = select(journal_entry.c.entry_index, journal_entry.c.chain_hash).order_by(journal_entry.c.entry_index.desc()).limit(1)
_CATCH_UP_MAX = 1_000
_IS_PARKED = signature.c.state == literal_column(f"'{SignatureState.PARKED.value}'")
"""A literal, not a parameter: with that alone SQLite sees that the partial index holds all of them."""
_INSERT_ENTRIES = inserting(journal_entry)
_INSERT_MATERIALS = inserting(material)
_INSERT_NODES = inserting(log_node)
_UPSERT_SIGNATURES = upserting(signature)
_MANY = 20
"""More than a lot of documents has, which is seldom the first of its request."""
_IS_ANY = ManyRows(lambda _dialect, _count: select(exists().where(signature.c.school_id == "", signature.c.request_id == "")))
"""Of one request."""
_FETCH_STANDINGS = ManyRows(lambda _dialect, count: _of_wanted(select(signature), count))
_FETCH_STORED = ManyRows(lambda _dialect, count: _of_wanted(_STORED, count))
