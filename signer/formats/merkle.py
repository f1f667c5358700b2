"""Merkle trees of RFC 9162 §2.1 with SHA-256: roots, and proofs of inclusion and of consistency.

    MTH({})     = SHA-256()                       the hash of nothing
    MTH({d})    = SHA-256(0x00 || d)              a leaf
    MTH(D[n])   = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])),  k the largest power of two below n

A tree of n leaves is a row of perfect trees, one for each bit of n, joined from the right: a `Range` keeps just their roots, so that a log
grows by one entry in ⌈log2 n⌉ hashes at most. What is asked for its proofs gives the roots of perfect trees through `NodeSource`: a log of
millions reads some dozens of hashes, and a list in memory computes them.

Pure: leaves are given as their hashes, and nobody here knows what they stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from signer.errors import InvalidArgument, VerificationFailed

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()
_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """Of a leaf's data."""
    return sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of two subtrees."""
    return sha256(_NODE + left + right).digest()


@dataclass(frozen=True, slots=True)
class Range:
    """The first `size` leaves, as the roots of their perfect trees, the largest first: one for each bit of `size` that is set."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def extended(self, leaf: bytes) -> tuple[Range, tuple[tuple[int, bytes], ...]]:
        """With one leaf more, and the nodes above it that are complete now: (height, hash), from the lowest."""
        growing = GrowingRange(self)
        complete = growing.append(leaf)
        return growing.range, tuple(complete)

    @property
    def root(self) -> bytes:
        """MTH of all leaves."""
        if not self.roots:
            return EMPTY_ROOT
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = node_hash(left, root)
        return root


class GrowingRange:
    """A Range that takes in one leaf after the other. size: how many it has."""

    __slots__ = ("_roots", "size")

    def __init__(self, start: Range) -> None:
        self.size = start.size
        self._roots = list(start.roots)

    def append(self, leaf: bytes) -> list[tuple[int, bytes]]:
        """One leaf more; the nodes above it that are complete now: (height, hash), from the lowest."""
        roots, complete, below, node, height = self._roots, [], self.size, leaf, 0
        while below & 1:
            node = sha256(_NODE + roots.pop() + node).digest()
            below >>= 1
            height += 1
            complete.append((height, node))
        roots.append(node)
        self.size += 1
        return complete

    @property
    def range(self) -> Range:
        """As it is now."""
        return Range(self.size, tuple(self._roots))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """MTH of leaf hashes. Hashed in place, not through `node_hash`: a list of ten thousand is looked at while its caller waits."""
    level, hashed, node = list(leaves), sha256, _NODE
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        pairs = iter(level)
        paired = [hashed(node + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        level = paired + level[-1:] if len(level) % 2 else paired
    return level[0]


def root_of_entries(entries: Iterable[bytes]) -> bytes:
    """MTH of a list, D[n], by its entries."""
    hashed, leaf = sha256, _LEAF
    return root_of([hashed(leaf + entry).digest() for entry in entries])


class NodeSource(Protocol):
    """Who knows a tree's perfect subtrees."""

    def node(self, height: int, index: int) -> bytes:
        """The root over leaves index·2^height to (index+1)·2^height - 1; height 0 is a leaf's hash."""


def inclusion_proof(source: NodeSource, index: int, size: int) -> tuple[bytes, ...]:
    """PATH(index, D[size]), from the leaf to the root (RFC 9162 2.1.3.1). InvalidArgument for a leaf that the tree doesn't have."""
    if not 0 <= index < size:
        raise InvalidArgument(f"a log of {size} entries has no entry {index}", field="index")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(source, middle, end))
            end = middle
        else:
            path.append(_subtree(source, start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_proof(source: NodeSource, first: int, second: int) -> tuple[bytes, ...]:
    """PROOF(first, D[second]) (RFC 9162 2.1.4.1). InvalidArgument unless 0 < first <= second."""
    if not 0 < first <= second:
        raise InvalidArgument("a consistency proof is from a size of at least 1 to one that is not smaller", field="first_tree_size")
    path: list[bytes] = []
    start, end, kept, is_known = 0, second, first, True
    while kept != end - start:
        middle = start + _split(end - start)
        if kept <= middle - start:
            path.append(_subtree(source, middle, end))
            end = middle
        else:
            path.append(_subtree(source, start, middle))
            kept -= middle - start
            start, is_known = middle, False
    if not is_known:
        path.append(_subtree(source, start, end))
    return tuple(reversed(path))


def require_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """VerificationFailed unless the path proves that `leaf` is entry `index` of the tree (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        raise VerificationFailed(f"a tree of {size} leaves has no leaf {index}")
    computed = leaf
    for is_left, sibling in _climb(index, size - 1, path):
        computed = node_hash(sibling, computed) if is_left else node_hash(computed, sibling)
    if computed != root:
        raise VerificationFailed("the inclusion proof does not lead to the root")


def require_consistent(first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> None:
    """VerificationFailed unless the path proves that the second tree begins with the first (RFC 9162 2.1.4.2)."""
    if not 0 < first <= second:
        raise VerificationFailed("no tree begins with a larger one")
    if first == second:
        if path or first_root != second_root:
            raise VerificationFailed("two trees of one size have other roots")
        return
    proof = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not proof:
        raise VerificationFailed("the consistency proof is empty")
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = proof[0]
    for is_left, sibling in _climb(node, last, proof[1:]):
        older = node_hash(sibling, older) if is_left else older
        newer = node_hash(sibling, newer) if is_left else node_hash(newer, sibling)
    if older != first_root or newer != second_root:
        raise VerificationFailed("the consistency proof does not lead to both roots: the log was changed before its end")


def _climb(node: int, last: int, path: Sequence[bytes]) -> Iterator[tuple[bool, bytes]]:
    """The way up from a node to the root: each sibling, and whether it stands to the left. VerificationFailed when it doesn't end there."""
    for sibling in path:
        if last == 0:
            raise VerificationFailed("the proof is longer than the tree is high")
        is_left = bool(node & 1) or node == last
        yield is_left, sibling
        while is_left and node and not node & 1:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    if last:
        raise VerificationFailed("the proof ends below the root")


def _split(size: int) -> int:
    """The largest power of two below `size`, which is above 1."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(source: NodeSource, start: int, end: int) -> bytes:
    """MTH of leaves start to end - 1; `start` is a multiple of a power of two not below their number."""
    roots: list[bytes] = []
    while start < end:
        height = min((end - start).bit_length() - 1, (start & -start).bit_length() - 1 if start else 64)
        roots.append(source.node(height, start >> height))
        start += 1 << height
    return Range(0, tuple(roots)).root
