"""The log's hashes: what a commit adds to them, what a start finds of them, and what proofs read of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial

from sqlalchemy import Connection, func, insert, select

from signer.errors import JournalDamaged
from signer.formats.merkle import Range, root_of
from signer.journal.portions import read_leaves
from signer.store.log_tables import log_node
from signer.store.tables import journal_entry

STEP = 8
"""Roots are kept at heights 8, 16, …"""
_PORTION = 1 << STEP
Node = tuple[int, int, bytes]
"""Height, index and hash, as a row."""


def kept(size: int, complete: Iterable[tuple[int, bytes]]) -> list[Node]:
    """Of the subtrees that an entry completed, those that are kept. size: the log's with that entry."""
    return [(height, (size - 1) >> height, node) for height, node in complete if height % STEP == 0]


class LogNodes:
    """`formats.merkle.NodeSource` over the database; for one proof: what it read is remembered."""

    def __init__(self, connection: Connection) -> None:
        self._portion = cache(partial(_read_portion, connection))

    def node(self, height: int, index: int) -> bytes:
        """NodeSource. JournalDamaged when hashes that must be there are not."""
        above = height % STEP
        below, start, count = height - above, index << above, 1 << above
        at = start % _PORTION
        wanted = self._portion(below, start // _PORTION)[at : at + count]
        if len(wanted) != count:
            raise JournalDamaged(f"the log lacks hashes of height {below} from {start} on: verify the journal", index=start << below)
        return root_of(wanted)


def read_range(connection: Connection, size: int) -> Range:
    """The log's first `size` entries, from what is kept of them."""
    nodes = LogNodes(connection)
    roots, start = [], 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            roots.append(nodes.node(height, start >> height))
            start += 1 << height
    return Range(size, tuple(roots))


def complete_nodes(connection: Connection, size: int) -> None:
    """Writes what is missing of the kept roots: all of them, in a database of a release that had none."""
    height = STEP
    while count := size >> height:
        done = connection.execute(select(func.count()).select_from(log_node).where(log_node.c.height == height)).scalar_one()
        for index in range(done, count):
            below = _read_portion(connection, height - STEP, index)
            if len(below) != _PORTION:
                raise JournalDamaged(f"the journal lacks entries before entry {(index + 1) << height}: verify it", index=index << height)
            connection.execute(insert(log_node).values(height=height, node_index=index, hash=root_of(below)))
        height += STEP


def _read_portion(connection: Connection, height: int, number: int) -> Sequence[bytes]:
    """The hashes number·256 … of a height, as far as there are any without a gap."""
    start, end = number * _PORTION, (number + 1) * _PORTION
    if height:
        at, where = log_node.c.node_index, log_node.c.height == height
        query = select(at, log_node.c.hash).where(where, at >= start, at < end).order_by(at)
    else:
        at = journal_entry.c.entry_index
        query = select(at, journal_entry.c.leaf_hash).where(at >= start, at < end).order_by(at)
    rows = connection.execute(query).all()
    if not rows and not height:
        return read_leaves(connection, number)
    return [row[1] for offset, row in enumerate(rows) if row[0] == start + offset]
