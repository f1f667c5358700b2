"""A class's evidence as it is kept: its documents share every timestamp, and differ only in where their hash stands in each chain's tree.

What is kept of a chain is its leaves and its TimeStampTokens; the rest is derived, always to the same bytes, because renewals by hash tree
stamp the encodings of what came before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from signer.algorithms import DigestAlgorithm
from signer.formats.evidence.hash_tree import HashTree, build, build_groups
from signer.formats.evidence.record import Chain, EvidenceRecord, evidence_record
from signer.formats.evidence.renewal import hash_tree_digests, renewed_by_timestamp, timestamp_digests


@dataclass(frozen=True, slots=True)
class SharedChain:
    """A chain of every document.

    tree: over a leaf of each, in their order. timestamps: TimeStampTokens, DER: of the tree's root, then each of the ones before it.
    """

    tree: HashTree
    timestamps: tuple[bytes, ...]

    def of_document(self, position: int) -> Chain:
        """The chain of one document's record. Raises DocumentDamaged when a timestamp is not of what it should be."""
        record = evidence_record(self.timestamps[0], self.tree.reduced(position), self.tree.algorithm)
        for timestamp in self.timestamps[1:]:
            record = renewed_by_timestamp(record, timestamp, timestamp_tree(record).reduced(0))
        return record.chains[0]


@dataclass(frozen=True, slots=True)
class SharedEvidence:
    """The record of many documents, of which each one's own can be given. chains: oldest first."""

    chains: tuple[SharedChain, ...]

    def of_document(self, position: int) -> EvidenceRecord:
        """The record reduced to the document at this position."""
        return EvidenceRecord(tuple(chain.of_document(position) for chain in self.chains))

    def hash_tree(self, digests: Sequence[bytes], algorithm: DigestAlgorithm) -> HashTree:
        """The tree of a renewal by hash tree. digests: of every document by the new algorithm, in their order."""
        leaves = [hash_tree_digests(self.of_document(at), [digest], algorithm)[0] for at, digest in enumerate(digests)]
        return build(leaves, algorithm)

    def with_timestamp(self, timestamp: bytes) -> SharedEvidence:
        """With a further timestamp in the last chain, over `timestamp_tree(…).root`."""
        last = self.chains[-1]
        return SharedEvidence((*self.chains[:-1], replace(last, timestamps=(*last.timestamps, timestamp))))

    def with_chain(self, chain: SharedChain) -> SharedEvidence:
        """With a new hash tree and its timestamp."""
        return SharedEvidence((*self.chains, chain))


def timestamp_tree(record: EvidenceRecord) -> HashTree:
    """The tree of a renewal by timestamp of one record; the records of a class share it."""
    return build_groups([timestamp_digests(record)], record.last.algorithm)
