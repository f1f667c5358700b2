"""Any signed document judged, whatever its format, and what it says itself about the certificates concerned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from signer.errors import DocumentTooCostly, SignerError
from signer.formats.pades.reading import open_to_verify
from signer.formats.pades.refusal import refusals
from signer.formats.status.answer import Terms
from signer.validation import cms, stored
from signer.validation.content import DocumentKind, recognise
from signer.validation.found import Found
from signer.validation.long_term import with_long_term
from signer.validation.pdf import judge_pdf
from signer.validation.report import DocumentReport
from signer.validation.revocation import Key, KnownStatus, settle
from signer.validation.stored import StoredAnswers
from signer.validation.trust import TrustAnchors
from signer.validation.xml import SlotExpectation, verify_xml


@dataclass(frozen=True, slots=True)
class Verified:
    """report: without regard to revocation. embedded: what the document says of the certificates that decide."""

    report: DocumentReport
    embedded: Mapping[Key, KnownStatus]

    def settled(self, at: datetime) -> DocumentReport:
        """The report by what the document says alone."""
        return settle(self.report, self.embedded, at)


@dataclass(frozen=True, slots=True)
class _Task:
    document: bytes
    trust: TrustAnchors
    at: datetime
    content: bytes | None
    slots: Sequence[SlotExpectation]


def verify_document(
    document: bytes,
    trust: TrustAnchors,
    at: datetime,
    *,
    content: bytes | None = None,
    slots: Sequence[SlotExpectation] = (),
    allow_sha1: bool = False,
) -> Verified:
    """Judge every signature of a PDF, a CMS or an XML document, recognised by its content.

    Args:
        document: the signed document.
        trust: whom to believe.
        at: the moment to verify at, aware.
        content: what a detached CMS or XML signature signs; None without.
        slots: of a record in XML (`validation.xml.verify_xml`).
        allow_sha1: whether answers in the document may be signed with SHA-1.

    Raises:
        DocumentError: it can't be read, or is of another kind.
    """
    report, answers = _VERIFIERS[recognise(document)](_Task(document, trust, at, content, slots))
    terms = Terms(at=at, now=at, allow_sha1=allow_sha1)
    return Verified(report, stored.statuses(report, answers, terms))


def _verify_pdf(task: _Task) -> tuple[DocumentReport, StoredAnswers]:
    with refusals():
        reader = open_to_verify(task.document)
        report = judge_pdf(reader, task.trust, task.at)
        found = Found(reader, task.trust, task.at)
        return with_long_term(found, report), _dss_answers(found)


def _dss_answers(found: Found) -> StoredAnswers:
    """None when the DSS can't be read, which is no signature's fault."""
    try:
        with refusals():
            return found.answers
    except DocumentTooCostly:
        raise
    except SignerError:
        return StoredAnswers()


def _verify_cms(task: _Task) -> tuple[DocumentReport, StoredAnswers]:
    with cms.reading():
        signed = cms.signed_data(task.document)
        return cms.judge_cms(signed, task.trust, task.at, task.content), cms.stored_answers(signed)


def _verify_xml(task: _Task) -> tuple[DocumentReport, StoredAnswers]:
    return verify_xml(task.document, task.trust, task.at, slots=task.slots, detached=task.content), StoredAnswers()


_VERIFIERS = {DocumentKind.PDF: _verify_pdf, DocumentKind.CMS: _verify_cms, DocumentKind.XML: _verify_xml}
