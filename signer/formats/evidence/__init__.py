"""Evidence records (RFC 4998): one RFC 3161 timestamp for a whole class, provable for each document alone, and renewable for decades.

    tree = build(digests, algorithm)                                  # §4.2
    timestamp = …a TimeStampToken over tree.root…
    record = evidence_record(timestamp, tree.reduced(i), algorithm)   # of document i; record.encoded() is the file
    records = evidence_records(timestamp, tree)                       # of all of them, encoded, at a tenth of the cost
    verify(record, {algorithm: [digest]}, judge, at)                  # §4.3, §5.3

- `hash_tree`: Merkle trees over digests of documents and of groups of documents, and their reduced trees.
- `record`: EvidenceRecord, chains and ArchiveTimeStamps, written and strictly read.
- `shared`: the record of a whole class, of which each document's own is made.
- `renewal`: by a new timestamp, and by a new hash tree (§5.2). `verification`: what a record proves, and until when.

Rules of the room:
- Pure. What a timestamp is worth is asked of a `TimestampJudge`; documents come as digests.
- What the RFC leaves open is done so that every reading of it finds the same root: equal digests are one leaf, no list that is written
  holds one hash alone, H(h ‖ ha) of a renewal is not sorted, and hashes must have the digest's size.
- The RFC does not tell leaves from inner nodes: a record also "proves" the 64 bytes that two hashes are together. No document looks so.
- Bytes that came are kept: a renewed record begins with the very bytes that it renews.
"""

from signer.formats.evidence.hash_tree import HashTree, Reduced, build, build_groups, root_of
from signer.formats.evidence.record import ArchiveTimeStamp, EvidenceRecord, evidence_record, evidence_records, read_evidence_record
from signer.formats.evidence.renewal import hash_tree_digests, renewed_by_hash_tree, renewed_by_timestamp, timestamp_digests
from signer.formats.evidence.shared import SharedChain, SharedEvidence, timestamp_tree
from signer.formats.evidence.verification import Coverage, Digests, Proof, StampedTime, TimestampJudge, check_timestamps, verify

__all__ = [
    "ArchiveTimeStamp",
    "Coverage",
    "Digests",
    "EvidenceRecord",
    "HashTree",
    "Proof",
    "Reduced",
    "SharedChain",
    "SharedEvidence",
    "StampedTime",
    "TimestampJudge",
    "build",
    "build_groups",
    "check_timestamps",
    "evidence_record",
    "evidence_records",
    "hash_tree_digests",
    "read_evidence_record",
    "renewed_by_hash_tree",
    "renewed_by_timestamp",
    "root_of",
    "timestamp_digests",
    "timestamp_tree",
    "verify",
]
