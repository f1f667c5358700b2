"""Between the messages of `audit.proto` and the journal's log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from signer.errors import InvalidArgument
from signer.formats.checkpoint import read_note
from signer.journal import KeptCheckpoint, NoteKind, OutcomeKind
from signer.journal.entries import INTENT, NOTE
from signer.journal.log import Account, LogFilter
from signer.journal.segments import Segment
from signer.journal.shelves import LogEntry
from signer.model import Role
from signer.server import convert
from signer.v1 import audit_pb2, common_pb2

_K: Final = audit_pb2.EntryKind
_N: Final = NoteKind

NOTE_KINDS: Final[Mapping[NoteKind, Any]] = {
    **dict.fromkeys(
        (_N.STARTED, _N.STOPPED, _N.RECOVERED, _N.MATERIAL_FORGOTTEN, _N.SEGMENT_ARCHIVED, _N.CLOCK_CHANGED), _K.ENTRY_KIND_DAEMON
    ),
    **dict.fromkeys(
        (_N.TOKEN_RESTORED, _N.WORKER_LOST, _N.PIN_HELD, _N.PIN_RELEASED, _N.TOKEN_PAUSED, _N.TOKEN_RESUMED), _K.ENTRY_KIND_TOKEN
    ),
    **dict.fromkeys(
        (
            *(_N.KEYS_WANTED, _N.KEY_MADE, _N.CERTIFICATE_IMPORTED, _N.CREDENTIAL_RENEWED, _N.CREDENTIAL_STATE_SET, _N.KEY_DESTROYED),
            _N.STATUS_UNKNOWN,
        ),
        _K.ENTRY_KIND_CREDENTIAL,
    ),
    **dict.fromkeys((_N.EVIDENCE_MADE, _N.EVIDENCE_RENEWED), _K.ENTRY_KIND_TIMESTAMP),
    **dict.fromkeys(
        (_N.TRUST_CHANGED, _N.IMAGE_SET, _N.IMAGE_DELETED, _N.CLIENT_SET, _N.SCHOOL_SET, _N.QUOTA_SET), _K.ENTRY_KIND_ADMINISTRATION
    ),
    **dict.fromkeys((_N.APPROVAL_POLICY_SET, _N.CALENDAR_SET), _K.ENTRY_KIND_ADMINISTRATION),
    **dict.fromkeys(
        (
            *(_N.PERSON_ADDED, _N.PERSON_CHANGED, _N.ROLE_GIVEN, _N.ROLE_CHANGED, _N.DELEGATION_MADE, _N.DELEGATION_CHANGED),
            *(_N.ENROLMENT_CODE_MADE, _N.ENROLMENT_CODE_USED, _N.FACTORS_SET, _N.FACTORS_LOCKED, _N.FACTORS_UNLOCKED),
            *(_N.PASSKEY_ADDED, _N.PASSKEY_REMOVED),
        ),
        _K.ENTRY_KIND_PERSON,
    ),
    **dict.fromkeys(
        (
            *(_N.AUTHORIZATION_REQUESTED, _N.AUTHORIZATION_GRANTED, _N.AUTHORIZATION_REJECTED),
            *(_N.AUTHORIZATION_SPENT, _N.AUTHORIZATION_REVOKED),
        ),
        _K.ENTRY_KIND_AUTHORIZATION,
    ),
    **dict.fromkeys((_N.APPROVAL_REQUESTED, _N.APPROVAL_DECIDED, _N.APPROVAL_WITHDRAWN, _N.APPROVAL_USED), _K.ENTRY_KIND_APPROVAL),
}
"""What each note tells; all others of the contract's kinds are of intents and outcomes."""
_OUTCOME_KINDS: Final[Mapping[str, Any]] = {
    INTENT: _K.ENTRY_KIND_INTENT,
    OutcomeKind.RELEASED.value: _K.ENTRY_KIND_SIGNED,
    OutcomeKind.PARKED.value: _K.ENTRY_KIND_SIGNED,
    OutcomeKind.FAILED.value: _K.ENTRY_KIND_FAILED,
    OutcomeKind.UNKNOWN.value: _K.ENTRY_KIND_OUTCOME_UNKNOWN,
}
_MEMBERS: Final[Mapping[str, str]] = {
    "school": "school_id",
    "client": "client_id",
    "person": "person_id",
    "actingFor": "acting_for_person_id",
    "credential": "credential_id",
    "certificate": "certificate_serial",
    "request": "request_id",
    "document": "document_id",
    "authorization": "authorization_id",
}
"""An entry's own members, and a note's detail, that have a field of their own."""
_IMPLIED: Final = frozenset({"at", "index", "kind", "digest", "role", "follows", "note"})
_ROLES: Final = {role.value: common_pb2.Role.Value(f"ROLE_{role.name}") for role in Role}


def entry_message(entry: LogEntry) -> audit_pb2.Entry:
    """One line of the journal, with the bytes that are hashed."""
    members = entry.members
    detail = members.pop("detail", "")
    said: dict[str, Any] = {**members, **detail} if isinstance(detail, dict) else {**members, "detail": detail}
    made = audit_pb2.Entry(
        index=entry.index,
        kind=_kind(entry, members),
        role=_ROLES.get(str(said.get("role", "")), common_pb2.ROLE_UNSPECIFIED),
        digest=bytes.fromhex(members.get("digest", "")),
        canonical=entry.body,
        leaf_hash=entry.leaf_hash,
    )
    for name, field in _MEMBERS.items():
        setattr(made, field, str(said.get(name, "")))
    made.entry_time.CopyFrom(convert.timestamp(datetime.fromisoformat(members["at"])))
    if "follows" in members:
        made.intent_index = members["follows"]
    if entry.kind in {OutcomeKind.FAILED.value, OutcomeKind.UNKNOWN.value}:
        made.reason = str(detail)
    made.details.update({name: str(value) for name, value in _details(said) if str(value)})
    return made


def checkpoint_message(kept: KeptCheckpoint) -> audit_pb2.Checkpoint:
    """As it was published."""
    signed = kept.signed
    return audit_pb2.Checkpoint(
        tree_size=signed.checkpoint.size,
        root_hash=signed.checkpoint.root,
        checkpoint_time=convert.timestamp(kept.made),
        note=signed.note,
        cms=signed.cms,
    )


def segment_message(segment: Segment) -> audit_pb2.Segment:
    """A closed segment, archived or not."""
    made = audit_pb2.Segment(
        first_index=segment.span.first,
        count=segment.span.entries,
        start_time=convert.timestamp(segment.start),
        end_time=convert.timestamp(segment.end),
        root_hash=segment.root,
    )
    if segment.file is not None and segment.archived is not None:
        made.archived, made.archive_sha256 = True, segment.file.sha256
        made.archive_file, made.archive_bytes = segment.name, segment.file.size_bytes
        made.archive_time.CopyFrom(convert.timestamp(segment.archived))
    return made


def witness(checkpoint: audit_pb2.Checkpoint) -> Mapping[int, bytes]:
    """The root that a witness kept, by its size: of the note, or of the fields where there is none."""
    if checkpoint.note:
        kept = read_note(checkpoint.note).checkpoint
        return {kept.size: kept.root}
    return {checkpoint.tree_size: convert.sha256(checkpoint.root_hash, "witness.root_hash")} if checkpoint.root_hash else {}


def log_filter(message: audit_pb2.EntryFilter, schools: Collection[str] | None) -> LogFilter:
    """schools: whose entries the caller may see; None for all."""
    asked = None if not message.school_id else {convert.identifier(message.school_id, "filter.school_id")}
    seen = schools if asked is None else asked if schools is None else asked & set(schools)
    kinds, notes = _wanted(message.kinds)
    written = message.written
    return LogFilter(
        schools=seen,
        kinds=kinds,
        notes=notes,
        start=written.start.ToDatetime(UTC) if written.HasField("start") else None,
        end=written.end.ToDatetime(UTC) if written.HasField("end") else None,
        credential_id=message.credential_id,
        person_id=message.person_id,
        request_id=message.request_id,
        document_id=message.document_id,
    )


def account_message(accounts: Mapping[str, Account]) -> audit_pb2.AccountSignaturesResponse:
    """The sum, and each credential's part."""
    return audit_pb2.AccountSignaturesResponse(
        intents=sum(each.intents for each in accounts.values()),
        signed=sum(each.signed for each in accounts.values()),
        failed=sum(each.failed for each in accounts.values()),
        outcome_unknown=sum(each.unknown for each in accounts.values()),
        open=sum(each.open for each in accounts.values()),
        credentials=[
            audit_pb2.CredentialAccount(
                credential_id=name, intents=each.intents, signed=each.signed, failed=each.failed, outcome_unknown=each.unknown
            )
            for name, each in sorted(accounts.items())
        ],
    )


def _kind(entry: LogEntry, members: Mapping[str, Any]) -> Any:
    if entry.kind == NOTE:
        return NOTE_KINDS[NoteKind(members["note"])]
    return _K.ENTRY_KIND_TIMESTAMP if entry.completes else _OUTCOME_KINDS[entry.kind]


def _details(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((name, value) for name, value in sorted(said.items()) if name not in _MEMBERS and name not in _IMPLIED)
    if "note" in said:
        yield "note", said["note"]


def _wanted(kinds: Iterable[int]) -> tuple[frozenset[str] | None, frozenset[str]]:
    wanted = set(kinds)
    if not wanted:
        return None, frozenset()
    unknown = wanted - set(_K.values()[1:])
    if unknown:
        raise InvalidArgument("filter.kinds holds a kind that the contract does not have", field="filter.kinds")
    notes = {note.value for note, kind in NOTE_KINDS.items() if kind in wanted}
    own = {name for name, kind in _OUTCOME_KINDS.items() if kind in wanted}
    return frozenset(own), frozenset(notes)
