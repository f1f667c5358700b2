"""Entries that were moved into an archive, as far as the database still knows them: 256 at a time.

Of each there stays its leaf hash, its kind, and the members that answers about signatures need for good (`KEPT`): who asks what became of
a signature, or for a record's history, is answered without the archive's files. Everything else that an entry says is in its file.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from signer.errors import JournalDamaged
from signer.formats.merkle import HASH_BYTES
from signer.journal.entries import NOTE, decode
from signer.store.segment_tables import PORTION_ENTRIES, log_portion
from signer.store.tables import journal_entry

KEPT = frozenset(
    {
        *("at", "kind", "follows", "detail"),
        *("plan", "algorithm", "credential", "certificate", "authorization", "role", "actingFor"),
    }
)
_KEPT_OF_NOTES = frozenset({"kind"})
_AT_ONCE = 500
_LEVEL = 9
_encode = msgspec.json.Encoder().encode
_decode_members = msgspec.json.Decoder(list[dict[str, Any]]).decode
_decode_kinds = msgspec.json.Decoder(dict[str, int]).decode


def kept_members(body: bytes) -> dict[str, Any]:
    """Of an entry's members, those that stay in the database."""
    members = decode(body)
    kept = _KEPT_OF_NOTES if members["kind"] == NOTE else KEPT
    return {name: value for name, value in members.items() if name in kept}


def count_moved(connection: Connection) -> int:
    """How many entries, from the first one on, are no longer in `journal_entry`."""
    last = connection.execute(select(func.max(log_portion.c.number))).scalar_one()
    return 0 if last is None else (last + 1) * PORTION_ENTRIES


def read_leaves(connection: Connection, number: int) -> list[bytes]:
    """The leaf hashes of a portion; none when it was not moved."""
    whole: bytes | None = connection.execute(select(log_portion.c.leaves).where(log_portion.c.number == number)).scalar()
    return [] if whole is None else [whole[at : at + HASH_BYTES] for at in range(0, len(whole), HASH_BYTES)]


def read_kinds(connection: Connection, number: int | None = None) -> Counter[str]:
    """How many entries of each kind were moved, or stand in a portion. JournalDamaged when it can't be read."""
    counts: Counter[str] = Counter()
    query = select(log_portion.c.kinds) if number is None else select(log_portion.c.kinds).where(log_portion.c.number == number)
    for (kinds,) in connection.execute(query):
        try:
            counts.update(_decode_kinds(kinds))
        except (msgspec.DecodeError, TypeError) as error:
            raise JournalDamaged("how many entries of each kind were archived can't be read: verify the journal") from error
    return counts


def read_portion_members(connection: Connection, number: int) -> list[dict[str, Any]]:
    """What stays of each entry of a portion; none when it was not moved. JournalDamaged when it can't be read."""
    packed: bytes | None = connection.execute(select(log_portion.c.members).where(log_portion.c.number == number)).scalar()
    if packed is None:
        return []
    first = number * PORTION_ENTRIES
    try:
        members = _decode_members(zlib.decompress(packed))
    except (zlib.error, msgspec.DecodeError, TypeError) as error:
        raise JournalDamaged(f"what stays of journal entry {first} and the next can't be read: verify the journal", index=first) from error
    if len(members) != PORTION_ENTRIES:
        raise JournalDamaged(f"what stays of journal entry {first} and the next is not all there: verify the journal", index=first)
    return members


def read_members(connection: Connection, indexes: Collection[int]) -> dict[int, Mapping[str, Any]]:
    """The members of these entries: all of them, or of moved ones those that stay. Entries that there are none of are left out."""
    found: dict[int, Mapping[str, Any]] = {}
    ordered = sorted(indexes)
    for start in range(0, len(ordered), _AT_ONCE):
        query = select(journal_entry.c.entry_index, journal_entry.c.body)
        rows = connection.execute(query.where(journal_entry.c.entry_index.in_(ordered[start : start + _AT_ONCE])))
        found |= {index: decode(body) for index, body in rows}
    missing = [index for index in ordered if index not in found]
    for number in {index // PORTION_ENTRIES for index in missing}:
        kept = read_portion_members(connection, number)
        places = ((index, index % PORTION_ENTRIES) for index in missing if index // PORTION_ENTRIES == number)
        found |= {index: kept[place] for index, place in places if kept}
    return found


def move_portion(connection: Connection, number: int) -> int:
    """Takes a portion's entries out of `journal_entry`, once their segment is on record; how many: none when that was done before.

    Raises:
        JournalDamaged: some of them are not there. Nothing was changed.
    """
    columns = journal_entry.c
    first = number * PORTION_ENTRIES
    where = columns.entry_index >= first, columns.entry_index < first + PORTION_ENTRIES
    rows = connection.execute(select(columns.kind, columns.body, columns.leaf_hash).where(*where).order_by(columns.entry_index)).all()
    if not rows and read_leaves(connection, number):
        return 0
    if len(rows) != PORTION_ENTRIES:
        raise JournalDamaged(f"the journal lacks entries from {first} on, which are to be archived: verify it", index=first)
    connection.execute(insert(log_portion).values(number=number, **portion_row(rows)))
    connection.execute(delete(journal_entry).where(*where))
    return len(rows)


def portion_row(rows: Sequence[Any]) -> dict[str, Any]:
    """What stays of entries (kind, body, leaf hash)."""
    return {
        "leaves": b"".join(row.leaf_hash for row in rows),
        "kinds": _encode(dict(sorted(Counter(row.kind for row in rows).items()))).decode(),
        "members": pack_members(row.body for row in rows),
    }


def pack_members(bodies: Iterable[bytes]) -> bytes:
    """What stays of what entries say."""
    return zlib.compress(_encode([kept_members(body) for body in bodies]), _LEVEL)
