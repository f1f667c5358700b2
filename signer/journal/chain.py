"""The journal read through: every hash made anew, and held against what is stored, what was signed, and what a witness kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, type_coerce
from sqlalchemy.types import NullType

from signer.errors import JournalDamaged
from signer.formats.merkle import Range, leaf_hash
from signer.journal.entries import CHAIN_START, chain_hash, decode_head
from signer.journal.log_nodes import Node, kept
from signer.store.log_tables import checkpoint, log_node
from signer.store.tables import journal_entry

_ENTRIES_PER_READ = 1_000
_AS_STORED = [type_coerce(column, NullType()).label(column.name) for column in journal_entry.columns]
"""Whatever stands there, of whatever type: SQLite lets a tamperer turn bytes into text, which is to be found, not stumbled over."""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """An unbroken journal: how many entries, the chain hash after the last, and the Merkle root over all of them (RFC 9162)."""

    entries: int
    chain_hash: bytes
    root: bytes


def verify_chain(
    connection: Connection, witnessed: Mapping[int, bytes] | None = None, on_progress: Callable[[int], None] = lambda _checked: None
) -> ChainReport:
    """Recompute every hash of the journal, from entry 0 on, as one consistent read.

    Finds entries that were changed, removed, inserted or reordered. A cut at the end leaves a shorter, unbroken journal: it is found by any
    checkpoint of a larger size, of those in the database or of those `witnessed`: roots by size, kept elsewhere. Whether a checkpoint's
    signature is good is not looked at here. on_progress: told how many entries were checked, now and then.

    Raises:
        JournalDamaged: `metadata["index"]` is the first entry that is not as it was written, or the size at which a root differs.
    """
    roots: dict[int, bytes] = {row.tree_size: row.root for row in connection.execute(select(checkpoint.c.tree_size, checkpoint.c.root))}
    for size, root in (witnessed or {}).items():
        if roots.setdefault(size, root) != root:
            raise _damaged(size, "is where the database's checkpoint has another root than the one kept elsewhere")
    reader = _Reader(connection, roots)
    while reader.read_portion():
        on_progress(reader.log.size)
    return reader.report()


class _Reader:
    def __init__(self, connection: Connection, roots: dict[int, bytes]) -> None:
        self.log = Range()
        self._chain = CHAIN_START
        self._connection = connection
        self._roots = roots
        self._nodes = 0

    def read_portion(self) -> bool:
        """Checks some entries; whether there may be more."""
        portion = select(*_AS_STORED).order_by(journal_entry.c.entry_index).limit(_ENTRIES_PER_READ)
        if self.log.size:
            portion = portion.where(journal_entry.c.entry_index >= self.log.size)
        rows = self._connection.execute(portion).all()
        complete: list[Node] = []
        for row in rows:
            self._verify_entry(row)
            self.log, made = self.log.extended(row.leaf_hash)
            complete += kept(self.log.size, made)
            signed = self._roots.get(self.log.size)
            if signed is not None and signed != self.log.root:
                raise _damaged(self.log.size, "is where a checkpoint has another root: what stands before it was written anew")
        self._verify_nodes(complete)
        return len(rows) == _ENTRIES_PER_READ

    def report(self) -> ChainReport:
        """When all was read."""
        beyond = max(self._roots, default=0)
        if beyond > self.log.size:
            raise _damaged(self.log.size, f"is missing: a checkpoint counts {beyond} entries, and the journal ends before it")
        stored = self._connection.execute(select(func.count()).select_from(log_node)).scalar_one()
        if stored != self._nodes:
            raise _damaged(self.log.size, f"ends a log of {self._nodes} kept hashes, and {stored} are stored")
        return ChainReport(self.log.size, self._chain, self.log.root)

    def _verify_entry(self, row: Any) -> None:
        expected = self.log.size
        if row.entry_index != expected:
            raise _damaged(expected, f"is missing: {row.entry_index} stands in its place")
        if not isinstance(row.body, bytes) or leaf_hash(row.body) != row.leaf_hash:
            raise _damaged(expected, "was changed: it does not hash to its leaf hash")
        self._chain = chain_hash(self._chain, row.leaf_hash)
        if self._chain != row.chain_hash:
            raise _damaged(expected, "was replaced or moved: the chain from the entry before does not lead to it")
        try:
            head = decode_head(row.body)
        except msgspec.DecodeError as error:
            raise _damaged(expected, "is not an entry") from error
        if (head.index, head.kind) != (expected, row.kind):
            raise _damaged(expected, f"says it is entry {head.index} of kind {head.kind!r}, and is kept as kind {row.kind!r}")

    def _verify_nodes(self, complete: list[Node]) -> None:
        self._nodes += len(complete)
        for height, index, node in complete:
            query = select(log_node.c.hash).where(log_node.c.height == height, log_node.c.node_index == index)
            if self._connection.execute(query).scalar_one_or_none() != node:
                raise _damaged((index + 1 << height) - 1, f"ends {1 << height} entries whose stored hash is not theirs, or is missing")


def _damaged(index: int, what: str) -> JournalDamaged:
    return JournalDamaged(f"journal entry {index} {what}", index=index)
