"""What validation tells, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from signer.errors import SignerError


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """One signature. indication, sub_indication, level, revocation: the contract's names, such as `TOTAL_PASSED`; empty for none.

    claimed_time: the signer's word. proven_time: by a timestamp. covers_whole: the document as it was when signed. messages: in English.
    """

    name: str
    indication: str
    sub_indication: str
    level: str
    signer: str
    certificate_serial: str
    claimed_time: datetime | None
    proven_time: datetime | None
    revocation: str
    covers_whole: bool
    later_changes: str
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotVerdict:
    """One slot of a record, by its layout. signature: the name of the one in it; empty for none."""

    slot: str
    subject_id: str
    signature: str
    references_right: bool
    order_right: bool


@dataclass(frozen=True, slots=True)
class DocumentVerdict:
    """One document. indication: the worst of its signatures; empty when it has none. summary_vi, summary_en: some sentences for people."""

    indication: str
    signatures: tuple[SignatureVerdict, ...]
    slots: tuple[SlotVerdict, ...]
    summary_vi: str
    summary_en: str
    validation_time: datetime
    document_sha256: bytes = field(repr=False, default=b"")

    @property
    def passed(self) -> bool:
        """Whether every signature stands, and there is one."""
        return self.indication == "TOTAL_PASSED"


@dataclass(frozen=True, slots=True)
class ValidatedDocument:
    """One document of many: its verdict, or why there is none."""

    document_id: str
    verdict: DocumentVerdict | None
    error: SignerError | None


@dataclass(frozen=True, slots=True)
class CertificateCheck:
    """Whether a certificate may sign now. revocation: the contract's name; source: who said so."""

    may_sign: bool
    indication: str
    sub_indication: str
    subject: str
    revocation: str
    source: str
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnchorInfo:
    """A believed CA. purposes: the contract's names. known_as: of the government's, such as `G2 root`; empty for others."""

    id: str
    subject: str
    not_after: datetime
    purposes: tuple[str, ...]
    known_as: str
    warnings: tuple[str, ...]
