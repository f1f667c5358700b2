from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, select, type_coerce
from sqlalchemy.types import NullType

from signer.errors import JournalDamaged
from signer.journal.entries import CHAIN_START, chain_hash, decode_head, leaf_hash
from signer.store.tables import journal_entry

_ENTRIES_PER_READ = 1_000
_AS_STORED = [type_coerce(column, NullType()).label(column.name) for column in journal_entry.columns]
"""Whatever stands there, of whatever type: SQLite lets a tamperer turn bytes into text, which is to be found, not stumbled over."""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """An unbroken chain: how many entries, and the hash that stands for all of them. Compare it with one kept elsewhere."""

    entries: int
    chain_hash: bytes


def verify_chain(connection: Connection) -> ChainReport:
    """Recompute every hash of the journal, from entry 0 on, as one consistent read.

    Finds entries that were changed, removed, inserted or reordered. Does NOT find a cut at the end: what remains is a shorter, unbroken
    chain. That takes a head kept elsewhere, which signed checkpoints will be.

    Raises:
        JournalDamaged: `metadata["index"]` is the first entry that is not as it was written.
    """
    chain, expected = CHAIN_START, 0
    while True:
        portion = select(*_AS_STORED).order_by(journal_entry.c.entry_index).limit(_ENTRIES_PER_READ)
        if expected:
            portion = portion.where(journal_entry.c.entry_index >= expected)
        rows = connection.execute(portion).all()
        for row in rows:
            chain = _verify_entry(row, expected, chain)
            expected += 1
        if len(rows) < _ENTRIES_PER_READ:
            return ChainReport(expected, chain)


def _verify_entry(row: Any, expected: int, chain: bytes) -> bytes:
    if row.entry_index != expected:
        raise _damaged(expected, f"is missing: {row.entry_index} stands in its place")
    if not isinstance(row.body, bytes) or leaf_hash(row.body) != row.leaf_hash:
        raise _damaged(expected, "was changed: it does not hash to its leaf hash")
    following = chain_hash(chain, row.leaf_hash)
    if following != row.chain_hash:
        raise _damaged(expected, "was replaced or moved: the chain from the entry before does not lead to it")
    try:
        head = decode_head(row.body)
    except msgspec.DecodeError as error:
        raise _damaged(expected, "is not an entry") from error
    if (head.index, head.kind) != (expected, row.kind):
        raise _damaged(expected, f"says it is entry {head.index} of kind {head.kind!r}, and is kept as kind {row.kind!r}")
    return following


def _damaged(index: int, what: str) -> JournalDamaged:
    return JournalDamaged(f"journal entry {index} {what}", index=index)
