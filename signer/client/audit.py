"""What an auditor asks of the appliance's journal, and believes of it only once it is proven.

with SignerClient(…) as signer:
    note = signer.audit.checkpoint().note       # keep it where the appliance can't reach
    …
    signer.audit.require_consistent(note)       # later: nothing of what it covered was changed, removed or reordered

Proofs are checked here (RFC 9162): a daemon that lies is found out, not asked. Whether a checkpoint was signed by the journal's key is for
`formats.checkpoint` and a CA file to say (`signer audit verify --trust`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc

from signer.client.channel import Connection
from signer.client.convert import moment, name_of
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.errors import VerificationFailed
from signer.formats.checkpoint import Checkpoint, read_note
from signer.formats.merkle import leaf_hash, require_consistent, require_included
from signer.rpc_status import from_failed_call, from_rpc_status
from signer.v1 import audit_pb2, audit_pb2_grpc

TIMEOUT_S = 30.0
READ_TIMEOUT_S = 1800.0
"""Of what reads the whole journal."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry. kind: the contract's name without prefix, such as `SIGNED`. canonical: the bytes hashed. details: what else it says."""

    index: int
    at: datetime
    kind: str
    school_id: str
    client_id: str
    person_id: str
    acting_for_person_id: str
    credential_id: str
    request_id: str
    document_id: str
    authorization_id: str
    reason: str
    details: dict[str, str]
    canonical: bytes


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which entries; empty: any. kinds: names without prefix. start, end: when written."""

    school_id: str = ""
    kinds: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    credential_id: str = ""
    person_id: str = ""
    request_id: str = ""
    document_id: str = ""


@dataclass(frozen=True, slots=True)
class JournalCheckpoint:
    """A checkpoint as it was published. cms: detached, over the note's text."""

    checkpoint: Checkpoint
    made: datetime
    note: str
    cms: bytes


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That an entry stands in the log that a checkpoint counts; checked already."""

    entry: JournalEntry
    path: tuple[bytes, ...]
    covered_by: JournalCheckpoint


@dataclass(frozen=True, slots=True)
class SignatureAccount:
    """Of a credential's intents; intents == signed + failed + unknown + open. credential_id: empty for the sum."""

    credential_id: str
    intents: int
    signed: int
    failed: int
    unknown: int
    open: int


@dataclass(frozen=True, slots=True)
class JournalReading:
    """How far the journal is read through, and at the end what that found beside its soundness.

    archived: of the entries checked, those in archive files. missing_files: archive files that were not there, so that of their entries
    the hashes alone were checked. foreign_files: named as the archive's own, and not on record.
    """

    checked: int
    total: int
    archived: int = 0
    missing_files: tuple[str, ...] = ()
    foreign_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalSegment:
    """Entries that are full, as one perfect subtree of the log. file, file_sha256, file_bytes, archived: empty, 0, None when it is not."""

    first: int
    entries: int
    start: datetime
    end: datetime
    root: bytes
    file: str
    file_sha256: bytes
    file_bytes: int
    archived: datetime | None


class AuditClient:
    """`SignerClient.audit`, for auditors and operators. Every method raises the leaf of `signer.errors` that ended it."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def entries(
        self, wanted: JournalFilter | None = None, *, newest_first: bool = False, timeout_s: float = TIMEOUT_S
    ) -> Iterator[JournalEntry]:
        """Those that fit, page by page. timeout_s: for each page."""
        request = audit_pb2.ListEntriesRequest(filter=_filter(wanted or JournalFilter()), newest_first=newest_first)
        while True:
            page = self._ask(self._stub.ListEntries, request, timeout_s)
            yield from map(_entry, page.entries)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def export(self, first_index: int = 0, *, timeout_s: float = READ_TIMEOUT_S) -> Iterator[JournalEntry | JournalCheckpoint]:
        """Every entry in order, then the checkpoint that covers them, if there is one."""
        request = audit_pb2.ExportEntriesRequest(first_index=first_index)
        try:
            for message in self._stub.ExportEntries(request, timeout=timeout_s):
                yield from map(_entry, message.entries)
                if message.HasField("checkpoint"):
                    yield _checkpoint(message.checkpoint)
        except grpc.RpcError as failed:
            raise from_failed_call(failed) from failed

    def checkpoint(self, *, make: bool = False, timeout_s: float = TIMEOUT_S) -> JournalCheckpoint:
        """The latest, or one that covers everything. CheckpointNotFound; TokenUnavailable when it can't be signed."""
        request = audit_pb2.GetCheckpointRequest(make=make)
        return _checkpoint(self._ask(self._stub.GetCheckpoint, request, timeout_s).checkpoint)

    def watch(self) -> Iterator[JournalCheckpoint]:
        """Each checkpoint as it is made, the latest first; until the connection ends."""
        try:
            for message in self._stub.WatchCheckpoints(audit_pb2.WatchCheckpointsRequest()):
                yield _checkpoint(message.checkpoint)
        except grpc.RpcError as failed:
            raise from_failed_call(failed) from failed

    def prove(self, index: int, *, timeout_s: float = TIMEOUT_S) -> InclusionProof:
        """That an entry stands in the log of a checkpoint that covers it, a new one where need be. VerificationFailed if it does not."""
        covering = self._covering(index + 1, timeout_s)
        entry = _entry(self._ask(self._stub.GetEntry, audit_pb2.GetEntryRequest(index=index), timeout_s).entry)
        request = audit_pb2.GetInclusionProofRequest(index=index, tree_size=covering.checkpoint.size)
        path = tuple(self._ask(self._stub.GetInclusionProof, request, timeout_s).path)
        require_included(leaf_hash(entry.canonical), index, covering.checkpoint.size, path, covering.checkpoint.root)
        return InclusionProof(entry, path, covering)

    def require_consistent(self, note: str, *, timeout_s: float = TIMEOUT_S) -> JournalCheckpoint:
        """That the journal still begins with what a checkpoint covered that was kept elsewhere; the latest, which is proven to.

        VerificationFailed when it does not; InvalidArgument for what is no note.
        """
        kept = read_note(note).checkpoint
        latest = self.checkpoint(timeout_s=timeout_s)
        if latest.checkpoint.origin != kept.origin:
            raise VerificationFailed(f"the checkpoint kept is of {kept.origin}, and this journal is {latest.checkpoint.origin}")
        if latest.checkpoint.size < kept.size:
            raise VerificationFailed(
                f"the journal was cut: a checkpoint of {kept.size} entries was kept, and its last covers {latest.checkpoint.size}"
            )
        path: tuple[bytes, ...] = ()
        if kept.size:
            request = audit_pb2.GetConsistencyProofRequest(first_tree_size=kept.size, second_tree_size=latest.checkpoint.size)
            path = tuple(self._ask(self._stub.GetConsistencyProof, request, timeout_s).path)
            require_consistent(kept.size, kept.root, latest.checkpoint.size, latest.checkpoint.root, path)
        return latest

    def verify(self, note: str = "", *, timeout_s: float = READ_TIMEOUT_S) -> Iterator[JournalReading]:
        """Has the daemon read its journal through, archive files included, and hold it against a note kept elsewhere.

        JournalDamaged, naming the first entry that does not hold, and the archive file it stands in.
        """
        request = audit_pb2.VerifyJournalRequest(witness=audit_pb2.Checkpoint(note=note) if note else None)
        try:
            for message in self._stub.VerifyJournal(request, timeout=timeout_s):
                if message.HasField("verdict") and message.verdict.code:
                    raise from_rpc_status(message.verdict)
                files = tuple(message.missing_files), tuple(message.foreign_files)
                yield JournalReading(message.checked, message.total, message.archived, *files)
        except grpc.RpcError as failed:
            raise from_failed_call(failed) from failed

    def account(self, wanted: JournalFilter | None = None, *, timeout_s: float = READ_TIMEOUT_S) -> list[SignatureAccount]:
        """What became of every intent that fits: the sum, then each credential's part."""
        request = audit_pb2.AccountSignaturesRequest(filter=_filter(wanted or JournalFilter()))
        found = self._ask(self._stub.AccountSignatures, request, timeout_s)
        return [_account(found, ""), *[_account(each, each.credential_id) for each in found.credentials]]

    def segments(self, *, timeout_s: float = TIMEOUT_S) -> list[JournalSegment]:
        """Those that are full, archived ones first."""
        return [_segment(each) for each in self._ask(self._stub.ListSegments, audit_pb2.ListSegmentsRequest(), timeout_s).segments]

    def archive(self, *, timeout_s: float = READ_TIMEOUT_S) -> Iterator[JournalSegment]:
        """Has segments that are past their retention moved into files now; each, once it is done.

        ConfigError where no archive is configured, JournalUnavailable, JournalDamaged, EntryArchived. Repeating is harmless.
        """
        try:
            for message in self._stub.ArchiveSegments(audit_pb2.ArchiveSegmentsRequest(), timeout=timeout_s):
                yield _segment(message.segment)
        except grpc.RpcError as failed:
            raise from_failed_call(failed) from failed

    def _covering(self, size: int, timeout_s: float) -> JournalCheckpoint:
        latest = self.checkpoint(timeout_s=timeout_s, make=True)
        if latest.checkpoint.size < size:
            raise VerificationFailed(f"the latest checkpoint covers {latest.checkpoint.size} entries, not entry {size - 1}")
        return latest

    def _ask(self, method: Any, request: Any, timeout_s: float) -> Any:
        return call_patiently(method, request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)

    @property
    def _stub(self) -> audit_pb2_grpc.AuditServiceStub:
        return audit_pb2_grpc.AuditServiceStub(self._connection.channel)


def _entry(message: audit_pb2.Entry) -> JournalEntry:
    return JournalEntry(
        index=message.index,
        at=moment(message.entry_time),
        kind=name_of(audit_pb2.EntryKind, message.kind, "ENTRY_KIND_"),
        school_id=message.school_id,
        client_id=message.client_id,
        person_id=message.person_id,
        acting_for_person_id=message.acting_for_person_id,
        credential_id=message.credential_id,
        request_id=message.request_id,
        document_id=message.document_id,
        authorization_id=message.authorization_id,
        reason=message.reason,
        details=dict(message.details),
        canonical=message.canonical,
    )


def _segment(message: audit_pb2.Segment) -> JournalSegment:
    return JournalSegment(
        message.first_index,
        message.count,
        moment(message.start_time),
        moment(message.end_time),
        message.root_hash,
        message.archive_file,
        message.archive_sha256,
        message.archive_bytes,
        moment(message.archive_time) if message.archived else None,
    )


def _checkpoint(message: audit_pb2.Checkpoint) -> JournalCheckpoint:
    return JournalCheckpoint(read_note(message.note).checkpoint, moment(message.checkpoint_time), message.note, message.cms)


def _filter(wanted: JournalFilter) -> audit_pb2.EntryFilter:
    made = audit_pb2.EntryFilter(
        school_id=wanted.school_id,
        kinds=[audit_pb2.EntryKind.Value(f"ENTRY_KIND_{name}") for name in wanted.kinds],
        credential_id=wanted.credential_id,
        person_id=wanted.person_id,
        request_id=wanted.request_id,
        document_id=wanted.document_id,
    )
    if wanted.start is not None:
        made.written.start.FromDatetime(wanted.start)
    if wanted.end is not None:
        made.written.end.FromDatetime(wanted.end)
    return made


def _account(message: Any, credential_id: str) -> SignatureAccount:
    gone = message.signed + message.failed + message.outcome_unknown
    return SignatureAccount(credential_id, message.intents, message.signed, message.failed, message.outcome_unknown, message.intents - gone)
