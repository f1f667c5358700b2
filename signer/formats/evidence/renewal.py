"""Renewal (RFC 4998 §5.2): by a timestamp before the last one weakens, by a hash tree before a digest algorithm does.

Both work for many records at once: put what each record needs stamped into one tree, and give each its reduced tree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace

from signer.algorithms import DigestAlgorithm
from signer.errors import InvalidArgument
from signer.formats.evidence.hash_tree import Reduced
from signer.formats.evidence.record import ArchiveTimeStamp, Chain, EvidenceRecord, archive_timestamp, encoded_chains


def timestamp_digest(stamp: ArchiveTimeStamp) -> bytes:
    """Of an ArchiveTimeStamp's timestamp, by its algorithm: what the next one in its chain must cover."""
    return hashlib.new(stamp.algorithm.value, stamp.timestamp).digest()


def timestamp_digests(record: EvidenceRecord) -> tuple[bytes, ...]:
    """What a new timestamp must cover, to be given as one group. Records of one class share it.

    All timestamps of the last chain: the RFC asks for the last one, BouncyCastle for every one.
    """
    return tuple(map(timestamp_digest, record.chains[-1]))


def renewed_by_timestamp(record: EvidenceRecord, timestamp: bytes, reduced: Reduced) -> EvidenceRecord:
    """The record with a further ArchiveTimeStamp in its last chain.

    timestamp: TimeStampToken, DER, verified before, over the root that `reduced` leads to, of a tree with `timestamp_digests(record)`.
    Raises DocumentDamaged when it is not one of that root, InvalidArgument when that tree covers another record.
    """
    stamp = archive_timestamp(timestamp, reduced, record.last.algorithm)
    if timestamp_digest(record.last) not in stamp.covered:
        raise InvalidArgument("the reduced hash tree is not the one of the record's last timestamp", field="reduced")
    return replace(record, chains=(*record.chains[:-1], (*record.chains[-1], stamp)))


def hash_tree_digests(record: EvidenceRecord, digests: Collection[bytes], algorithm: DigestAlgorithm) -> tuple[bytes, ...]:
    """What a new hash tree must cover for this record: h(i)' = H(h(i) ‖ ha(i)) for each of its documents, to be given as one group.

    digests: of the record's documents, by the new algorithm.
    """
    before = chains_digest(record.chains, algorithm)
    return tuple(bound_digest(digest, before, algorithm) for digest in digests)


def renewed_by_hash_tree(record: EvidenceRecord, timestamp: bytes, reduced: Reduced, algorithm: DigestAlgorithm) -> EvidenceRecord:
    """The record with a new chain. timestamp: TimeStampToken, DER, verified before, over the root that `reduced` leads to.

    Raises DocumentDamaged when the timestamp is not one of that root.
    """
    return replace(record, chains=(*record.chains, (archive_timestamp(timestamp, reduced, algorithm),)))


def chains_digest(chains: Sequence[Chain], algorithm: DigestAlgorithm) -> bytes:
    """ha: of the ArchiveTimeStampSequence of all earlier chains, DER (§5.2, hash-tree renewal, step 3)."""
    return hashlib.new(algorithm.value, encoded_chains(chains)).digest()


def bound_digest(digest: bytes, before: bytes, algorithm: DigestAlgorithm) -> bytes:
    """h': a document's digest bound to what was proved before, in this order (step 4)."""
    return hashlib.new(algorithm.value, digest + before).digest()
