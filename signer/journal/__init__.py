"""The journal: what was about to be signed, what came of it, and the memory that makes a repeat harmless.

Every signature is an intent, durable before the key is used, and an outcome, durable before the signature is released. Entries are
append-only, numbered from 0, each hashed as a Merkle tree leaf (RFC 9162 2.1.1: SHA-256 over 0x00 and the entry) and chained to its
predecessor, so a changed, removed or reordered entry is found. A cut at the end takes checkpoints, the better if kept elsewhere: the
log's size and Merkle root, signed (`log_nodes`, `chain`, `checkpoints`).

Rules of the room:
- What a call answers is committed and synced. What it could not commit has not happened: all calls of that commit raise
  JournalUnavailable, and nothing is signed.
- One thread owns the database; it commits everything that waits at once (group commit). The event loop never waits for the disk. On
  PostgreSQL several daemons write in turn, one commit at a time: the log stays one, dense log (`committing`: what may be remembered).
- `archive` keeps evidence records, `credentials` the keys it generated and `people` who has which role beside it, `clients`, `schools` and
  `quotas` who calls for whom and how much, through the same thread and in the same commits.
- `ledger` knows the rules and no SQL; `rows` knows SQL and no rules; `writer` is the thread between them, `journal` the door.
- An attempt gets one outcome, a key one released signature. A parked signature can only be released, never made again.
- Entries hold identifiers, digests and serial numbers: no document, no name, no mark.
"""

from signer.journal.archive import EvidenceArchive, EvidenceHead, KeptChain, NewEvidence, Renewal, StampedSpan
from signer.journal.chain import ChainReport, verify_chain
from signer.journal.checkpoints import CheckpointStore, KeptCheckpoint
from signer.journal.clients import ClientStore
from signer.journal.credentials import CredentialChange, CredentialFilter, CredentialStore
from signer.journal.images import ImageStore
from signer.journal.journal import Journal
from signer.journal.model import Accounting, Intent, NoteKind, Outcome, OutcomeKind, SignatureState, Stored
from signer.journal.people import PeopleStore, RoleFilter
from signer.journal.quotas import QuotaStore
from signer.journal.reports import accounting
from signer.journal.schools import SchoolStore

__all__ = [
    "Accounting",
    "ChainReport",
    "CheckpointStore",
    "ClientStore",
    "CredentialChange",
    "CredentialFilter",
    "CredentialStore",
    "EvidenceArchive",
    "EvidenceHead",
    "ImageStore",
    "Intent",
    "Journal",
    "KeptChain",
    "KeptCheckpoint",
    "NewEvidence",
    "NoteKind",
    "Outcome",
    "OutcomeKind",
    "PeopleStore",
    "QuotaStore",
    "Renewal",
    "RoleFilter",
    "SchoolStore",
    "SignatureState",
    "StampedSpan",
    "Stored",
    "accounting",
    "verify_chain",
]
