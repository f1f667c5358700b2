"""What verification found, as values: for people, for JSON, and for the service that carries them; the same for PDF, CMS and XML.

Indications and sub-indications are ETSI EN 319 102-1 tables 5 and 6, by their names there.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum

from signer.algorithms import SignatureAlgorithm
from signer.model import Level, Profile, RecordSlot

Json = dict[str, object]


class Indication(Enum):
    """EN 319 102-1 5.1.3, from best to worst."""

    TOTAL_PASSED = "TOTAL_PASSED"
    INDETERMINATE = "INDETERMINATE"
    TOTAL_FAILED = "TOTAL_FAILED"


class Coverage(Enum):
    """How much of the file a signature covers (12.8.1)."""

    DOCUMENT = "document"
    REVISION = "revision"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


class Changes(Enum):
    """What was added after the signature: the judgement of the difference analysis."""

    NONE = "none"
    SIGNATURES_AND_EVIDENCE = "signatures-and-evidence"
    FORMS_AND_SIGNATURES = "forms-and-signatures"
    ANNOTATIONS = "annotations"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


class SignatureKind(Enum):
    """/Type of a PDF's signature dictionary; what is no document timestamp is a signature."""

    SIGNATURE = "signature"
    DOCUMENT_TIMESTAMP = "document-timestamp"


class RevocationStatus(Enum):
    """What is known of a certificate's revocation. NOT_NEEDED: it is an anchor itself."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    NOT_NEEDED = "not-needed"


@dataclass(frozen=True, slots=True)
class RevocationReport:
    """Of a signer's certificate and the CAs above it: the worst of them.

    time: when it was revoked. this_update, next_update: of the answer that says so; None when there is none. source: `embedded`, or `ocsp:`
    or `crl:` and the address; empty when there is none.
    """

    status: RevocationStatus
    time: datetime | None = None
    this_update: datetime | None = None
    next_update: datetime | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class SlotReport:
    """One slot of a record, judged by its layout.

    subject_id: for GVBM. signature: the name of the one in it, empty when there is none. references_right: it references what the layout
    says and really covers it. order_right: the slots it must follow were signed.
    """

    slot: RecordSlot
    subject_id: str = ""
    signature: str = ""
    references_right: bool = False
    order_right: bool = False


@dataclass(frozen=True, slots=True)
class TimestampReport:
    """An RFC 3161 token.

    time: its gen time. valid: imprint, signature, chain, usage and time all stand. authority: its subject. intact: imprint and signature
    stand, whoever made it. certificate: the authority's, DER; certificates: from it to the anchor, empty when no chain is trusted.
    policy_oid: dotted.
    """

    time: datetime
    valid: bool
    authority: str
    intact: bool = True
    certificate: bytes = b""
    policy_oid: str = ""
    certificates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """One signature.

    name: the PDF field's, the XML signature's Id, or the number of the CMS signer info from 0. signer: subject, RFC 4514. serial_number:
    hex, upper case. claimed_time: the signer's word. best_time: the proven one, else the time verified at. proven_time: the earliest that
    a valid timestamp proves. level: reached, None when it is no baseline signature. intact: neither the covered bytes nor the signature
    itself were altered. chain: subjects from the signer to the anchor, empty when no trusted chain was found. problems: in words; a
    signature can pass with problems (a timestamp that is not trusted lowers the level only). certificate: the signer's, certificates: of
    `chain`, DER. algorithm: None for one that is not used here. revocation: None when it was not looked for. slot: of a record.
    """

    name: str
    kind: SignatureKind
    indication: Indication
    sub_indication: str = ""
    signer: str = ""
    serial_number: str = ""
    claimed_time: datetime | None = None
    best_time: datetime | None = None
    proven_time: datetime | None = None
    timestamp: TimestampReport | None = None
    level: Level | None = None
    coverage: Coverage = Coverage.UNKNOWN
    changes: Changes = Changes.UNKNOWN
    intact: bool = False
    trusted: bool = False
    chain: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    certificate: bytes = b""
    certificates: tuple[bytes, ...] = ()
    profile: Profile | None = None
    algorithm: SignatureAlgorithm | None = None
    revocation: RevocationReport | None = None
    slot: RecordSlot | None = None


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """All signatures of a document, oldest first as far as the format tells. problems: of the document as a whole. slots: of a record."""

    signatures: tuple[SignatureReport, ...]
    problems: tuple[str, ...] = ()
    slots: tuple[SlotReport, ...] = ()

    @property
    def indication(self) -> Indication:
        """The worst of its signatures; INDETERMINATE without any."""
        found = {signature.indication for signature in self.signatures}
        worst = next((kind for kind in reversed(Indication) if kind in found), Indication.INDETERMINATE)
        return Indication.INDETERMINATE if self.problems and worst is Indication.TOTAL_PASSED else worst

    def to_json(self) -> Json:
        """Plain values for json.dumps: enums by value, times in ISO 8601, certificates by their SHA-256."""
        return {"indication": self.indication.value, **_plain_members(asdict(self))}


def _plain_members(members: dict[str, object]) -> Json:
    return {name: _plain(value) for name, value in members.items()}


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case bytes():
            return hashlib.sha256(value).hexdigest() if value else ""
        case dict():
            return _plain_members(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
