"""What verification found, as values: for people, for JSON, and for the service that will carry them.

Indications and sub-indications are ETSI EN 319 102-1 tables 5 and 6, by their names there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum

from signer.model import Level

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
    """/Type of the signature dictionary."""

    SIGNATURE = "signature"
    DOCUMENT_TIMESTAMP = "document-timestamp"


@dataclass(frozen=True, slots=True)
class TimestampReport:
    """An RFC 3161 token.

    time: its gen time. valid: imprint, signature, chain, usage and time all stand. authority: its subject. intact: imprint and signature
    stand, whoever made it.
    """

    time: datetime
    valid: bool
    authority: str
    intact: bool = True


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """One signature.

    signer: subject, RFC 4514. serial_number: hex, upper case. claimed_time: the signer's word. best_time: of the valid timestamp, else
    the time verified at. level: reached, None when it is no PAdES baseline signature. intact: neither the covered bytes nor the
    signature itself were altered. chain: subjects from the signer to the anchor, empty when no trusted chain was found. problems: in
    words; a signature can pass with problems (a timestamp that is not trusted lowers the level only).
    """

    field_name: str
    kind: SignatureKind
    indication: Indication
    sub_indication: str = ""
    signer: str = ""
    serial_number: str = ""
    claimed_time: datetime | None = None
    best_time: datetime | None = None
    timestamp: TimestampReport | None = None
    level: Level | None = None
    coverage: Coverage = Coverage.UNKNOWN
    changes: Changes = Changes.UNKNOWN
    intact: bool = False
    trusted: bool = False
    chain: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PdfReport:
    """All signatures of a document, oldest first. problems: of the document as a whole."""

    signatures: tuple[SignatureReport, ...]
    problems: tuple[str, ...] = ()

    @property
    def indication(self) -> Indication:
        """The worst of its signatures; INDETERMINATE without any."""
        found = {signature.indication for signature in self.signatures}
        worst = next((kind for kind in reversed(Indication) if kind in found), Indication.INDETERMINATE)
        return Indication.INDETERMINATE if self.problems and worst is Indication.TOTAL_PASSED else worst

    def to_json(self) -> Json:
        """Plain values for json.dumps: enums by value, times in ISO 8601."""
        return {"indication": self.indication.value, **_plain_members(asdict(self))}


def _plain_members(members: dict[str, object]) -> Json:
    return {name: _plain(value) for name, value in members.items()}


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case dict():
            return _plain_members(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
