"""Between messages and values: every field is checked here, once, and named in the error when it is wrong."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from signer.algorithms import SignatureAlgorithm
from signer.errors import InvalidArgument
from signer.model import Level, Profile, RecordSlot, Role, StageTimes
from signer.pipeline.item import SignedDocument
from signer.pipeline.material import Finished
from signer.pipeline.plan import ReadyPlan, Shortage
from signer.records.plan_rules import OWN_SLOTS
from signer.v1 import common_pb2, plan_pb2, signature_pb2

IDENTIFIER_MAX = 128
_IDENTIFIER = re.compile(rf"[A-Za-z0-9._:@/-]{{1,{IDENTIFIER_MAX}}}")
_FIELD_NAME_BYTES_MAX = 127
_FILE_NAME_BYTES_MAX = 255
_LABEL_MAX = 100
_SHA256_BYTES = 32
_PAGE_DIGITS = 18
"""Of a page token that is a number: no more than a database's numbers have."""
NUMBER_MAX = 2**62
"""Numbers of requests are cut to it: what is beyond is asked for in vain, and a database's numbers end at twice as much."""
_NANOSECONDS = 1_000_000_000

ALGORITHMS: dict[int, SignatureAlgorithm] = {
    common_pb2.SignatureAlgorithm.Value(f"SIGNATURE_ALGORITHM_{algorithm.name}"): algorithm for algorithm in SignatureAlgorithm
}
ALGORITHM_NUMBERS: dict[SignatureAlgorithm, Any] = {algorithm: number for number, algorithm in ALGORITHMS.items()}
LEVELS: dict[int, Level] = {common_pb2.Level.Value(f"LEVEL_{level.name}"): level for level in Level}
LEVEL_NUMBERS: dict[Level, Any] = {level: number for number, level in LEVELS.items()}
PROFILES: dict[int, Profile] = {
    common_pb2.Profile.Value(f"PROFILE_{profile.name}"): profile for profile in Profile if not profile.is_of_digest
}
PROFILE_NUMBERS: dict[Profile, Any] = {profile: number for number, profile in PROFILES.items()} | {
    Profile.CADES_DIGEST: common_pb2.PROFILE_CADES
}
ROLES: dict[int, Role] = {common_pb2.Role.Value(f"ROLE_{role.name}"): role for role in Role}
ROLE_NUMBERS: dict[Role, Any] = {role: number for number, role in ROLES.items()}
SLOTS: dict[int, RecordSlot] = {common_pb2.RecordSlot.Value(f"RECORD_SLOT_{slot.name}"): slot for slot in RecordSlot}
SLOT_NUMBERS: dict[RecordSlot, Any] = {slot: number for number, slot in SLOTS.items()}


def identifier(value: str, field: str) -> str:
    """A required identifier; InvalidArgument says what one looks like."""
    if not _IDENTIFIER.fullmatch(value):
        raise InvalidArgument(f"{field} must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ / -", field=field)
    return value


def page_number(token: str) -> int | None:
    """Where a page begins, where page tokens are numbers; None for the first page. InvalidArgument for one that no answer gave."""
    if not token:
        return None
    if not (token.isascii() and token.isdigit() and len(token) <= _PAGE_DIGITS):
        raise InvalidArgument("page_token must be the next_page_token of the answer before", field="page_token")
    return int(token)


def sha256(value: bytes, field: str) -> bytes:
    """An optional SHA-256: empty, or 32 bytes."""
    if value and len(value) != _SHA256_BYTES:
        raise InvalidArgument(f"{field} must be empty or a SHA-256 of 32 raw bytes, not {len(value)} bytes", field=field)
    return value


def algorithm(number: int) -> SignatureAlgorithm | None:
    """The algorithm asked for; None: the credential's default."""
    if not number:
        return None
    if number not in ALGORITHMS:
        raise InvalidArgument(f"algorithm {number} is not one of this contract", field="algorithm")
    return ALGORITHMS[number]


def level(number: int, field: str = "plan.level") -> Level:
    """A required level."""
    if number not in LEVELS:
        raise InvalidArgument(f"{field} is required: LEVEL_B_B, LEVEL_B_T, LEVEL_B_LT or LEVEL_B_LTA", field=field)
    return LEVELS[number]


def profile(number: int) -> Profile:
    """A required profile."""
    if number not in PROFILES:
        known = "PROFILE_PADES, PROFILE_CADES, PROFILE_XADES or PROFILE_MINISTRY_XML"
        raise InvalidArgument(f"plan.profile is required: {known}", field="plan.profile")
    return PROFILES[number]


def shortage(number: int, level: Level) -> Shortage:
    """What follows when no timestamp can be had; unset: FAIL. The number is known to be one of the contract's."""
    if number and level is Level.B_B:
        raise InvalidArgument("plan.timestamp_shortage is for levels that have a timestamp: LEVEL_B_T", field="plan.timestamp_shortage")
    if number != plan_pb2.TIMESTAMP_SHORTAGE_PARK:
        return Shortage.FAIL
    if level.is_long_term:
        raise InvalidArgument(
            "TIMESTAMP_SHORTAGE_PARK is for LEVEL_B_T: what is parked above it can't be completed without its document",
            field="plan.timestamp_shortage",
        )
    return Shortage.PARK


def field_name(value: str) -> str:
    """A PDF field name, or empty."""
    if len(value.encode()) > _FIELD_NAME_BYTES_MAX or "." in value:
        raise InvalidArgument(f"field_name must be at most {_FIELD_NAME_BYTES_MAX} bytes without a full stop", field="field_name")
    return value


def file_name(value: str) -> None:
    """A file name is never interpreted, only bounded."""
    if len(value.encode()) > _FILE_NAME_BYTES_MAX:
        raise InvalidArgument(f"file_name is longer than {_FILE_NAME_BYTES_MAX} bytes", field="file_name")


def label(value: str) -> None:
    """A batch's label is never interpreted, only bounded."""
    if len(value) > _LABEL_MAX:
        raise InvalidArgument(f"header.label is longer than {_LABEL_MAX} characters", field="header.label")


def duration(seconds: float) -> Duration:
    """Seconds as a Duration."""
    made = Duration()
    made.FromNanoseconds(round(seconds * 1e9))
    return made


def timestamp(moment: datetime) -> Timestamp:
    """An aware time as a Timestamp."""
    made = Timestamp()
    made.FromDatetime(moment)
    return made


_shared_timestamp = lru_cache(maxsize=64)(timestamp)
"""The items of a lot are signed at one time. What it gives is copied into messages, never changed."""


def stage_times(times: StageTimes) -> common_pb2.StageTimes:
    """Where an item's time went. Filled in place: a fifth of the time that putting it together from Durations takes, once an item."""
    made = common_pb2.StageTimes()
    fill_stage_times(made, times)
    return made


def fill_stage_times(made: common_pb2.StageTimes, times: StageTimes) -> None:
    """The same into a message that is there, whatever it said before."""
    _fill(made.queue, times.queue_s)
    _fill(made.document, times.document_s)
    _fill(made.token, times.token_s)
    _fill(made.timestamp, times.timestamp_s)
    _fill(made.journal, times.journal_s)


def _fill(made: Duration, seconds: float) -> None:
    made.seconds, made.nanos = divmod(round(seconds * 1e9), _NANOSECONDS)


def signature_info(plan: ReadyPlan, material: Finished, field: str, source_sha256: bytes) -> signature_pb2.SignatureInfo:
    """What was made. Of a bare digest: no profile or level; of any digest: no document."""
    is_bare = plan.profile is Profile.DIGEST
    info = signature_pb2.SignatureInfo(
        credential_id=plan.credential.id,
        certificate_serial=material.certificate_serial,
        algorithm=ALGORITHM_NUMBERS[material.algorithm],
        profile=PROFILE_NUMBERS.get(plan.profile, 0),
        level=common_pb2.LEVEL_UNSPECIFIED if is_bare else LEVEL_NUMBERS[plan.level],
        signing_time=_shared_timestamp(material.signing_time),
        source_sha256=source_sha256,
        signed_sha256=b"" if plan.profile.is_of_digest else material.signed_sha256,
        field_name=field,
        authorization_id=plan.authorization_id,
    )
    if plan.record is not None:
        info.role, info.slot = ROLE_NUMBERS[plan.record.role], SLOT_NUMBERS[OWN_SLOTS[plan.record.role]]
        info.acting_for_person_id = plan.acting_for
    if material.timestamp_time is not None:
        info.timestamp_time.CopyFrom(timestamp(material.timestamp_time))
    return info


def document_info(plan: ReadyPlan, signed: SignedDocument, field: str) -> signature_pb2.SignatureInfo:
    """What was made of a document."""
    return signature_info(plan, signed.material, field, signed.source_sha256)


def certificate_info(der: bytes) -> common_pb2.CertificateInfo:
    """A certificate, taken apart for people."""
    certificate = x509.load_der_x509_certificate(der)
    return common_pb2.CertificateInfo(
        der=der,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=timestamp(certificate.not_valid_before_utc),
        not_after=timestamp(certificate.not_valid_after_utc),
        sha256=certificate.fingerprint(hashes.SHA256()),
    )
