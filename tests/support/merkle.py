"""A Merkle tree over leaf hashes in memory, for proofs that tests make themselves."""

from __future__ import annotations

from collections.abc import Sequence

from signer.formats.merkle import node_hash


class Leaves:
    """A signer.formats.merkle.NodeSource; each perfect subtree is hashed once."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels: list[Sequence[bytes]] = [leaves]
        while len(below := self._levels[-1]) > 1:
            self._levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])

    def node(self, height: int, index: int) -> bytes:
        """NodeSource."""
        return self._levels[height][index]
