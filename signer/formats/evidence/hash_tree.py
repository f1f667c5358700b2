"""Merkle trees over digests and their reduced trees (RFC 4998 §4.2).

Binary, because that makes the smallest proofs; what is left over at a level moves up as it is, so no proof has more than ⌈log2 n⌉ lists
(one more for a group). Hashes that are equal within a level are one node.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from signer.algorithms import DigestAlgorithm
from signer.errors import InvalidArgument

Reduced = tuple[tuple[bytes, ...], ...]
"""A reduced hash tree: its lists of hashes from the document up, each in ascending order. Empty: the document's hash is the root."""


@dataclass(frozen=True, slots=True)
class Level:
    """Nodes of one height. hashes: all different. parents: the position of each pair's father on the level above; empty for the root."""

    hashes: tuple[bytes, ...]
    parents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HashTree:
    """A tree over groups of digests, most of them of one document each. What is to be stamped is `root`.

    groups: as given, sorted, without repetitions. leaves: the leaf of each. levels: from the leaves to the root.
    """

    algorithm: DigestAlgorithm
    groups: tuple[tuple[bytes, ...], ...]
    leaves: tuple[int, ...]
    levels: tuple[Level, ...]

    @property
    def root(self) -> bytes:
        """The one hash on top."""
        return self.levels[-1].hashes[0]

    def reduced(self, index: int) -> Reduced:
        """The lists that lead from group `index`, as counted when built, to the root.

        The first one holds the group's digests; where that is one alone, its sibling as well, as in the RFC's example.
        """
        group, position = self.groups[index], self.leaves[index]
        lists = [group] if len(group) > 1 else []
        for level in self.levels[:-1]:
            sibling = position ^ 1
            if sibling < len(level.hashes):
                beside = level.hashes[sibling]
                lists.append((beside,) if lists else (min(group[0], beside), max(group[0], beside)))
            position = level.parents[position // 2]
        return tuple(lists)


def build(digests: Sequence[bytes], algorithm: DigestAlgorithm) -> HashTree:
    """A tree over documents, given by their digests; equal ones share a leaf. Raises InvalidArgument for none, or a wrong size."""
    return _build(tuple(zip(digests, strict=True)), tuple(digests), algorithm)


def build_groups(groups: Sequence[Collection[bytes]], algorithm: DigestAlgorithm) -> HashTree:
    """A tree over groups of documents, such as a document with its detached signatures, each group proved as a whole.

    Raises InvalidArgument for no group, an empty one, or a digest of the wrong size.
    """
    ordered = tuple(tuple(group) if len(group) == 1 else tuple(sorted(set(group))) for group in groups)
    return _build(ordered, [group[0] if len(group) == 1 else joined_hash(group, algorithm) for group in ordered], algorithm)


def _build(groups: tuple[tuple[bytes, ...], ...], hashes: Sequence[bytes], algorithm: DigestAlgorithm) -> HashTree:
    if not groups or not all(groups):
        raise InvalidArgument("an evidence record needs at least one digest, in each group too", field="digests")
    if set(map(len, chain.from_iterable(groups))) != {algorithm.size_bytes}:
        raise InvalidArgument(f"a {algorithm.value} digest has {algorithm.size_bytes} bytes", field="digests")
    numbers = _numbered(hashes)
    return HashTree(algorithm, groups, tuple(map(numbers.__getitem__, hashes)), _levels(tuple(numbers), algorithm))


def _levels(leaves: tuple[bytes, ...], algorithm: DigestAlgorithm) -> tuple[Level, ...]:
    levels, hashes, digest = [], leaves, getattr(hashlib, algorithm.value)
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=False)
        above = [digest(one + other if one < other else other + one).digest() for one, other in pairs]
        above += hashes[-1:] if len(hashes) % 2 else ()
        numbers = _numbered(above)
        levels.append(Level(hashes, tuple(map(numbers.__getitem__, above))))
        hashes = tuple(numbers)
    return (*levels, Level(hashes, ()))


def _numbered(hashes: Sequence[bytes]) -> dict[bytes, int]:
    """Each different hash once, in order of appearance, with its number."""
    different = dict.fromkeys(hashes)
    return dict(zip(different, range(len(different)), strict=True))


def root_of(reduced: Reduced, algorithm: DigestAlgorithm) -> bytes:
    """The root that a reduced tree, which must not be empty, leads to (§4.3 step 3).

    A first list of one hash alone hands that on unhashed, as RFC 6283 says of its XML form, and as
    other makers of evidence records mean it.
    """
    carried: tuple[bytes, ...] = ()
    for hashes in reduced:
        joined = (*hashes, *carried)
        carried = joined if len(joined) == 1 else (joined_hash(joined, algorithm),)
    return carried[0]


def joined_hash(hashes: Collection[bytes], algorithm: DigestAlgorithm) -> bytes:
    """Of hashes in binary ascending order, concatenated (§4.2 steps 3 and 4)."""
    return hashlib.new(algorithm.value, b"".join(sorted(hashes))).digest()
