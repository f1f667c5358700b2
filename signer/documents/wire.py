"""What the daemon and a document worker say to one another (bodies of `workers.frames`)."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from signer.algorithms import DigestAlgorithm
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.fast.fallback import FallbackReason
from signer.formats.xml.values import Examined
from signer.model import FieldPlacement, XadesOptions
from signer.records.examination import Expectation
from signer.records.layout import Layout
from signer.records.order import SlotStanding
from signer.records.problem import Finding
from signer.records.reading import Identity
from signer.validation.report import DocumentReport
from signer.validation.revocation import KnownStatus


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """START: the limits a worker puts on itself, and the records it will meet.

    memory_bytes_max: address space beyond the fresh interpreter's own.
    """

    name: str
    memory_bytes_max: int
    log_level: str
    layouts: tuple[Layout, ...] = ()


class PrepareCall(msgspec.Struct, frozen=True, kw_only=True, tag="prepare"):
    """CALL: prepare one PDF for a signature.

    contents_bytes: room for the CMS. signing_time: ISO 8601 with its offset, becomes /M; as text because msgpack's own times lose the zone.
    """

    document: bytes
    placement: FieldPlacement
    signing_time: str
    contents_bytes: int
    digest_algorithm: DigestAlgorithm


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to believe, DER: `validation.trust.TrustAnchors`. allow_sha1: whether answers about certificates may be signed with it."""

    signing: tuple[bytes, ...]
    timestamping: tuple[bytes, ...]
    intermediates: tuple[bytes, ...]
    allow_sha1: bool


class ExamineCall(msgspec.Struct, frozen=True, kw_only=True, tag="examine"):
    """CALL: what does a signed PDF lack? now: ISO 8601. with_chains: whose certificates and status are in it as well."""

    document: bytes
    trust: Trust
    now: str
    with_chains: bool


class ExtendCall(msgspec.Struct, frozen=True, kw_only=True, tag="extend"):
    """CALL: add validation data (DER), and a document timestamp if contents_bytes leaves room for one."""

    document: bytes
    certificates: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    contents_bytes: int = 0


class CheckRecordCall(msgspec.Struct, frozen=True, kw_only=True, tag="check-record"):
    """CALL: is this record fit to be signed? An XML record, or the PDF beside it. now: ISO 8601."""

    document: bytes
    expectation: Expectation
    trust: Trust
    now: str


class ExamineXmlCall(msgspec.Struct, frozen=True, kw_only=True, tag="examine-xml"):
    """CALL: where does a XAdES signature go, and what does it sign? name: of the document, where its signature is a file of its own."""

    document: bytes
    options: XadesOptions
    digest_algorithm: DigestAlgorithm
    name: str


class FindSlotCall(msgspec.Struct, frozen=True, kw_only=True, tag="find-slot"):
    """CALL: where is this record signed, if it is fit to be? now: ISO 8601."""

    document: bytes
    expectation: Expectation
    trust: Trust
    now: str


class VerifyCall(msgspec.Struct, frozen=True, kw_only=True, tag="verify"):
    """CALL: judge every signature of a signed document. at: the moment verified at, ISO 8601. content: what a detached one signs."""

    document: bytes
    trust: Trust
    at: str
    with_record_rules: bool
    content: bytes | None = None


XmlCall: TypeAlias = ExamineXmlCall | FindSlotCall
Call: TypeAlias = PrepareCall | ExamineCall | ExtendCall | CheckRecordCall | VerifyCall | XmlCall


class Calls(msgspec.Struct, frozen=True):
    """CALL: answer these, in order; a REPLY for each, as it is ready.

    artwork: what the visible signatures among them show, once for all of them; None where there is none.
    """

    documents: list[Call]
    artwork: Artwork | None = None


class PreparedReply(msgspec.Struct, frozen=True, kw_only=True, tag="prepared"):
    """REPLY: the proposed update, see `formats.pades.update.PreparedUpdate`.

    fallback: why the fast path handed the document to the complete one; None when it did not. An enum, so that a worker that lies can't
    make a metric grow.
    """

    update: bytes
    contents_offset: int
    contents_digits: int
    fallback: FallbackReason | None
    document_s: float


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """Whose status is needed: certificates in DER, the leaf first, the anchor last.

    at: the moment proven for it, ISO 8601. covered: for each certificate but the anchor, whether the document holds its status already.
    """

    certificates: tuple[bytes, ...]
    is_timestamp: bool
    at: str
    covered: tuple[bool, ...]


class ExaminedReply(msgspec.Struct, frozen=True, kw_only=True, tag="examined"):
    """REPLY: see `validation.long_term.Examination`."""

    lacks_timestamp: bool
    chains: tuple[Chain, ...]
    is_complete: bool
    document_s: float


class ExtendedReply(msgspec.Struct, frozen=True, kw_only=True, tag="extended"):
    """REPLY: the proposed update, empty when there was nothing to add; with a timestamp's hole, unless contents_digits is 0."""

    update: bytes
    contents_offset: int
    contents_digits: int
    field_name: str
    document_s: float


class CheckedRecordReply(msgspec.Struct, frozen=True, kw_only=True, tag="checked-record"):
    """REPLY: see `records.examination.Examination`; fit when nothing was found."""

    layout_id: str
    identity: Identity
    slots: tuple[SlotStanding, ...]
    findings: tuple[Finding, ...]
    document_s: float


class ExaminedXmlReply(msgspec.Struct, frozen=True, kw_only=True, tag="examined-xml"):
    """REPLY: see `formats.xml.values.Examined`. identity, layout_id: of a record that is signed in a slot; None and empty for other XML.

    is_alike: whether its markup was known already (`formats.xml.alike`).
    """

    examined: Examined
    document_s: float
    is_alike: bool = False
    identity: Identity | None = None
    layout_id: str = ""


class EmbeddedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a document says of one certificate. certificate, issuer: SHA-256 of each (`Question.key`)."""

    certificate: bytes
    issuer: bytes
    known: KnownStatus


class VerifiedReply(msgspec.Struct, frozen=True, kw_only=True, tag="verified"):
    """REPLY: see `validation.document.Verified`."""

    report: DocumentReport
    embedded: tuple[EmbeddedStatus, ...]
    document_s: float


class RefusedReply(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """REPLY: that can't be done with this document. reason: of a DocumentError leaf or one of few others; any other is not believed."""

    reason: str
    message: str
    metadata: dict[str, str]


Reply: TypeAlias = PreparedReply | ExaminedReply | ExtendedReply | CheckedRecordReply | VerifiedReply | ExaminedXmlReply
REPLIES: dict[type, type[Reply]] = {
    PrepareCall: PreparedReply,
    ExamineCall: ExaminedReply,
    ExtendCall: ExtendedReply,
    CheckRecordCall: CheckedRecordReply,
    VerifyCall: VerifiedReply,
    ExamineXmlCall: ExaminedXmlReply,
    FindSlotCall: ExaminedXmlReply,
}
"""The one kind of reply that answers a kind of call."""
