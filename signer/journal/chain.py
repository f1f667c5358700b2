"""The journal read through: every hash made anew, and held against what is stored, what was signed, and what a witness kept.

Archived entries come first: their leaf hashes from the database, which lead the chain and the roots on, and what they say from their files
(`archive_check`), as far as those are at hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, type_coerce
from sqlalchemy.types import NullType

from signer.errors import JournalDamaged
from signer.formats.merkle import HASH_BYTES, Range, leaf_hash
from signer.journal.archive_check import check_archive
from signer.journal.entries import CHAIN_START, chain_hash, decode_head
from signer.journal.log_nodes import Node, kept
from signer.journal.portions import read_kinds, read_leaves, read_portion_members
from signer.journal.segments import Segment, read_archived
from signer.store.log_tables import checkpoint, log_node
from signer.store.segment_tables import PORTION_ENTRIES, log_portion
from signer.store.tables import journal_entry

_ENTRIES_PER_READ = 1_000
_AS_STORED = [type_coerce(column, NullType()).label(column.name) for column in journal_entry.columns]
"""Whatever stands there, of whatever type: SQLite lets a tamperer turn bytes into text, which is to be found, not stumbled over."""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """An unbroken journal: how many entries, the chain hash after the last, and the Merkle root over all of them (RFC 9162).

    archived: of the entries, those that were moved into files. missing: files that were not there, so that of their entries the hashes
    alone were checked. foreign: files in the archive's folder that are named as its own and are not on record.
    """

    entries: int
    chain_hash: bytes
    root: bytes
    archived: int = 0
    missing: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def verify_chain(
    connection: Connection,
    witnessed: Mapping[int, bytes] | None = None,
    on_progress: Callable[[int], None] = lambda _checked: None,
    *,
    archive: Path | None = None,
) -> ChainReport:
    """Recompute every hash of the journal, from entry 0 on, as one consistent read.

    Finds entries that were changed, removed, inserted or reordered. A cut at the end leaves a shorter, unbroken journal: it is found by any
    checkpoint of a larger size, of those in the database or of those `witnessed`: roots by size, kept elsewhere. Whether a checkpoint's
    signature is good is not looked at here. on_progress: told how many entries were checked, now and then. archive: the folder of archived
    segments; None when it is not at hand.

    Raises:
        JournalDamaged: `metadata["index"]` is the first entry that is not as it was written, or the size at which a root differs;
            `metadata["file"]` the archive file that it stands in.
        JournalUnavailable: the folder can't be read.
    """
    roots: dict[int, bytes] = {row.tree_size: row.root for row in connection.execute(select(checkpoint.c.tree_size, checkpoint.c.root))}
    for size, root in (witnessed or {}).items():
        if roots.setdefault(size, root) != root:
            raise _damaged(size, "is where the database's checkpoint has another root than the one kept elsewhere")
    segments = read_archived(connection)
    reader = _Reader(connection, roots, segments)
    while reader.read_archived_portion():
        on_progress(reader.log.size)
    moved = reader.log.size
    while reader.read_portion():
        on_progress(reader.log.size)
    found = check_archive(connection, segments, archive)
    return ChainReport(*reader.report(), moved, found.missing, found.foreign)


class _Reader:
    def __init__(self, connection: Connection, roots: dict[int, bytes], segments: Iterable[Segment]) -> None:
        self.log = Range()
        self._chain = CHAIN_START
        self._connection = connection
        self._roots = roots
        self._segments = {each.span.end: each for each in segments}
        self._nodes = 0

    def read_archived_portion(self) -> bool:
        """Checks the next 256 entries by what stayed of them; whether they were archived."""
        number = self.log.size // PORTION_ENTRIES
        try:
            leaves = read_leaves(self._connection, number)
        except TypeError as error:
            raise _damaged(self.log.size, "was archived, and its hashes were changed") from error
        if not leaves:
            return False
        if len(leaves) != PORTION_ENTRIES or len(leaves[-1]) != HASH_BYTES:
            raise _damaged(self.log.size, "was archived with 255 more, whose hashes are not all there")
        if read_kinds(self._connection, number) != Counter(each.get("kind") for each in read_portion_members(self._connection, number)):
            raise _damaged(self.log.size, "was archived with 255 more, and how many there are of each kind was changed")
        complete: list[Node] = []
        for leaf in leaves:
            self._chain = chain_hash(self._chain, leaf)
            complete += self._append(leaf)
        self._verify_nodes(complete)
        return True

    def read_portion(self) -> bool:
        """Checks some entries; whether there may be more."""
        portion = select(*_AS_STORED).order_by(journal_entry.c.entry_index).limit(_ENTRIES_PER_READ)
        if self.log.size:
            portion = portion.where(journal_entry.c.entry_index >= self.log.size)
        rows = self._connection.execute(portion).all()
        complete: list[Node] = []
        for row in rows:
            self._verify_entry(row)
            complete += self._append(row.leaf_hash)
        self._verify_nodes(complete)
        return len(rows) == _ENTRIES_PER_READ

    def report(self) -> tuple[int, bytes, bytes]:
        """When all was read: how many entries, the chain's hash and the root."""
        beyond = max(self._roots, default=0)
        if beyond > self.log.size:
            raise _damaged(self.log.size, f"is missing: a checkpoint counts {beyond} entries, and the journal ends before it")
        stored = self._connection.execute(select(func.count()).select_from(log_node)).scalar_one()
        if stored != self._nodes:
            raise _damaged(self.log.size, f"ends a log of {self._nodes} kept hashes, and {stored} are stored")
        self._verify_alone()
        return self.log.size, self._chain, self.log.root

    def _append(self, leaf: bytes) -> list[Node]:
        self.log, made = self.log.extended(leaf)
        signed = self._roots.get(self.log.size)
        if signed is not None and signed != self.log.root:
            raise _damaged(self.log.size, "is where a checkpoint has another root: what stands before it was written anew")
        segment = self._segments.get(self.log.size)
        if segment is not None and ((segment.span.height, segment.root) not in made or segment.chain_hash != self._chain):
            raise _damaged(self.log.size, "ends an archived segment that is on record with other hashes")
        return kept(self.log.size, made)

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

    def _verify_alone(self) -> None:
        """That nothing stands in the tables but what was read: entries before the first one, portions and segments behind the last."""
        entries = self._connection.execute(select(func.count()).select_from(journal_entry)).scalar_one()
        portions = self._connection.execute(select(func.count()).select_from(log_portion)).scalar_one()
        if entries + portions * PORTION_ENTRIES != self.log.size or max(self._segments, default=0) > self.log.size:
            raise _damaged(self.log.size, f"ends the log, and {entries} entries and {portions} archived portions are stored")


def _damaged(index: int, what: str) -> JournalDamaged:
    return JournalDamaged(f"journal entry {index} {what}", index=index)
