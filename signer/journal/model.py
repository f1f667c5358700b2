"""The journal's values. Intents and outcomes are msgspec's: a dataclass of as many fields takes seven times as long to make."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import msgspec

from signer.algorithms import SignatureAlgorithm
from signer.model import RecordPlan, SignatureKey
from signer.records.register import SignedSlot


class SignatureState(Enum):
    """What a signature has come to; the value is its name in the database."""

    INTENDED = "intended"
    """Never signed as far as we know: under way, or of unknown outcome. Another attempt is right once none is under way."""
    PARKED = "parked"
    """Signed; its timestamp is still missing. To be completed, never signed again."""
    RELEASED = "released"
    """Signed and released, for good."""
    FAILED = "failed"
    """The last attempt released no signature. Another attempt is right."""


class OutcomeKind(Enum):
    """How an attempt ended; the value is its name in the entry."""

    RELEASED = "released"
    PARKED = "parked"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The key may have been used; no signature was released."""


class NoteKind(Enum):
    """What else is worth an entry; the value is its name in the entry."""

    STARTED = "started"
    STOPPED = "stopped"
    RECOVERED = "recovered"
    TOKEN_RESTORED = "token-restored"
    WORKER_LOST = "worker-lost"
    PIN_HELD = "pin-held"
    PIN_RELEASED = "pin-released"
    TOKEN_PAUSED = "token-paused"
    TOKEN_RESUMED = "token-resumed"
    CLOCK_CHANGED = "clock-changed"
    STATUS_UNKNOWN = "status-unknown"
    TRUST_CHANGED = "trust-changed"
    MATERIAL_FORGOTTEN = "material-forgotten"
    SEGMENT_ARCHIVED = "segment-archived"
    KEYS_WANTED = "keys-wanted"
    KEY_MADE = "key-made"
    CERTIFICATE_IMPORTED = "certificate-imported"
    CREDENTIAL_RENEWED = "credential-renewed"
    CREDENTIAL_STATE_SET = "credential-state-set"
    KEY_DESTROYED = "key-destroyed"
    IMAGE_SET = "image-set"
    IMAGE_DELETED = "image-deleted"
    EVIDENCE_MADE = "evidence-made"
    EVIDENCE_RENEWED = "evidence-renewed"
    CLIENT_SET = "client-set"
    SCHOOL_SET = "school-set"
    QUOTA_SET = "quota-set"
    PERSON_ADDED = "person-added"
    PERSON_CHANGED = "person-changed"
    ROLE_GIVEN = "role-given"
    ROLE_CHANGED = "role-changed"
    DELEGATION_MADE = "delegation-made"
    DELEGATION_CHANGED = "delegation-changed"
    ENROLMENT_CODE_MADE = "enrolment-code-made"
    ENROLMENT_CODE_USED = "enrolment-code-used"
    FACTORS_SET = "factors-set"
    FACTORS_LOCKED = "factors-locked"
    FACTORS_UNLOCKED = "factors-unlocked"
    PASSKEY_ADDED = "passkey-added"
    PASSKEY_REMOVED = "passkey-removed"
    AUTHORIZATION_REQUESTED = "authorization-requested"
    AUTHORIZATION_GRANTED = "authorization-granted"
    AUTHORIZATION_REJECTED = "authorization-rejected"
    AUTHORIZATION_SPENT = "authorization-spent"
    AUTHORIZATION_REVOKED = "authorization-revoked"
    APPROVAL_REQUESTED = "approval-requested"
    APPROVAL_DECIDED = "approval-decided"
    APPROVAL_WITHDRAWN = "approval-withdrawn"
    APPROVAL_USED = "approval-used"
    APPROVAL_POLICY_SET = "approval-policy-set"
    CALENDAR_SET = "calendar-set"


class Intent(msgspec.Struct, frozen=True):
    """A key is about to be used, or a signed document to be raised to a level, which uses no signer's key.

    fingerprint: what makes two requests of the same ids the same (SHA-256 over content and plan). plan: profile and level. digest: what
    the key will sign; SHA-256 of the document where none is used. certificate_serial: of the credential, hexadecimal. credential_id,
    certificate_serial and algorithm are empty and None where no key is used. acting_for: whose work it is, where another signs under a
    delegation. record: in which role a record is signed, and for whom;
    record_uuid: which one, where that is known. authorization_id: under which the key's holder allows it, empty where none is needed;
    entry: what the holder's list calls it.
    """

    key: SignatureKey
    fingerprint: bytes
    client_id: str
    credential_id: str
    certificate_serial: str
    algorithm: SignatureAlgorithm | None
    digest: bytes
    plan: str
    record: RecordPlan | None = None
    acting_for: str = ""
    record_uuid: str = ""
    authorization_id: str = ""
    entry: bytes = b""


class Outcome(msgspec.Struct, frozen=True):
    """How attempt number `attempt` at `key` ended.

    material: what a repeat needs to return (RELEASED) or complete (PARKED) the signature; opaque here, empty for the other kinds.
    signature_sha256: of the signature value, 32 bytes; empty when there is none. detail: why, for FAILED and UNKNOWN: an error's reason,
    no document's content. shared: runs of bytes that this material may have in common with others', which are stored once. slot: of a
    record that is RELEASED; kept in its register.
    """

    key: SignatureKey
    attempt: int
    kind: OutcomeKind
    material: bytes = b""
    signature_sha256: bytes = b""
    detail: str = ""
    shared: tuple[bytes, ...] = ()
    slot: SignedSlot | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What the journal holds of a signature.

    attempts: how many intents it had. material: as settled; empty when there is none, or when it was forgotten, which leaves its SHA-256
    in `material_sha256`. shared: runs of it that are stored once for many.
    """

    fingerprint: bytes
    state: SignatureState
    attempts: int
    material: bytes
    material_sha256: bytes
    shared: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Accounting:
    """Every intent and what came of it: intents == released + parked + failed + unknown + open, always.

    parked: still waiting for their timestamp; those completed since count as released. open: no outcome yet.
    """

    intents: int
    released: int
    parked: int
    failed: int
    unknown: int
    open: int

    @property
    def balanced(self) -> bool:
        """Whether every intent is accounted for."""
        return self.intents == self.released + self.parked + self.failed + self.unknown + self.open
