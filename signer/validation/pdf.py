"""Verify every signature of a PDF.

One document, in this order:
1. open it leniently: what can be read is judged (header, end and encryption as for signing);
2. collect the filled signature fields; one that can't be parsed is reported as failed, not skipped;
3. for each, the newest first: what its byte range leaves out must be its own /Contents and nothing else (`hole`), then digest, coverage,
   changes after it, CMS, chain, timestamp. What a document timestamp that stands covers existed at its time: older ones are judged as of
   then; a signature whose own timestamp stands at that one's time; all others at `at`. Chains may be completed from the DSS;
4. turn the status into an indication and a level.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from asn1crypto.x509 import Certificate
from pyhanko.pdf_utils.generic import DictionaryObject
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature, async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko.sign.validation.status import PdfSignatureStatus

from signer.errors import DocumentTooCostly, InvalidArgument
from signer.formats.pades.reading import open_to_verify
from signer.formats.pades.refusal import refusals
from signer.model import Profile
from signer.validation.hole import leaves_out_only_itself
from signer.validation.indication import INDICATIONS, changes, coverage, is_trusted
from signer.validation.judging import algorithm, facts, judge_in_time, level, timestamp_report
from signer.validation.policy import SIGNATURES, SIGNER_KEY_USAGE, context
from signer.validation.report import Coverage, DocumentReport, Indication, SignatureKind, SignatureReport
from signer.validation.stored import STORED_MAX
from signer.validation.trust import TrustAnchors

SIGNATURES_MAX: Final = 100
"""More than any record has (about 15); the work grows with the square of it."""
_UNREADABLE: Final = "the signature can't be read"


def verify_pdf(document: bytes, trust: TrustAnchors, at: datetime | None = None) -> DocumentReport:
    """Judge every signature of `document`.

    Args:
        document: the PDF.
        trust: whom to believe.
        at: the moment to verify at, aware; None for now.

    Raises:
        DocumentError: the document itself can't be read, or has more than SIGNATURES_MAX signatures.
        InvalidArgument: `at` has no zone.
    """
    moment = at or datetime.now(UTC)
    if moment.utcoffset() is None:
        raise InvalidArgument("the moment to verify at needs a time zone", field="at")
    with refusals():
        return judge_pdf(open_to_verify(document), trust, moment)


def judge_pdf(reader: PdfFileReader, trust: TrustAnchors, at: datetime) -> DocumentReport:
    """The same for a document that is open. Run inside `refusals()`."""
    return asyncio.run(_judge_all(reader, trust, at))


@dataclass(frozen=True, slots=True)
class _View:
    """What all signatures of a document are judged by. others: certificates that complete chains. at: the moment verified at."""

    trust: TrustAnchors
    others: tuple[Certificate, ...]
    at: datetime


async def _judge_all(reader: PdfFileReader, trust: TrustAnchors, at: datetime) -> DocumentReport:
    filled = [(name, field) for name, _, field in enumerate_sig_fields(reader, filled_status=True)]
    if len(filled) > SIGNATURES_MAX:
        raise DocumentTooCostly(f"the PDF has more than {SIGNATURES_MAX} signatures; verify it elsewhere", limit=SIGNATURES_MAX)
    readable: list[EmbeddedPdfSignature] = []
    unreadable: list[SignatureReport] = []
    for name, field in filled:
        parsed = _parse(reader, name, field)
        if isinstance(parsed, SignatureReport):
            unreadable.append(parsed)
        else:
            readable.append(parsed)
    readable.sort(key=lambda signature: signature.signed_revision, reverse=True)
    view = _View(trust, (*trust.intermediate_certificates, *_stored(reader)), at)
    reports: list[SignatureReport] = []
    later: datetime | None = None
    for signature in readable:
        report = await _judge(signature, view, later)
        reports.insert(0, report)
        if report.kind is SignatureKind.DOCUMENT_TIMESTAMP and report.indication is Indication.TOTAL_PASSED:
            later = report.best_time
    return DocumentReport((*reports, *unreadable), () if filled else ("the document is not signed",))


def _parse(reader: PdfFileReader, name: str, field: DictionaryObject) -> EmbeddedPdfSignature | SignatureReport:
    try:
        return EmbeddedPdfSignature(reader, field, name)
    except (PdfDecodeLimitError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  # a parser of strangers' bytes: whatever it raises, this signature is unreadable
        return _failed(name, SignatureKind.SIGNATURE, _UNREADABLE)


def _failed(name: str, kind: SignatureKind, problem: str, covered: Coverage = Coverage.UNKNOWN) -> SignatureReport:
    return SignatureReport(str(name), kind, Indication.TOTAL_FAILED, "FORMAT_FAILURE", coverage=covered, problems=(problem,))


async def _judge(signature: EmbeddedPdfSignature, view: _View, later: datetime | None) -> SignatureReport:
    is_timestamp = signature.sig_object_type == "/DocTimeStamp"
    kind = SignatureKind.DOCUMENT_TIMESTAMP if is_timestamp else SignatureKind.SIGNATURE
    try:
        if not leaves_out_only_itself(signature):
            return _failed(signature.field_name, kind, "the signature's byte range leaves out more than the signature", Coverage.PARTIAL)
        if is_timestamp:
            return await _judge_timestamp(signature, view, later)
        return await _judge_signature(signature, view, later)
    except SignatureValidationError as error:
        sub = error.ades_subindication
        problem = f"{_UNREADABLE}: its form is not one that is accepted"
        return SignatureReport(str(signature.field_name), kind, INDICATIONS[sub.status], sub.standard_name, problems=(problem,))
    except (PdfDecodeLimitError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  # as in _parse
        return _failed(signature.field_name, kind, _UNREADABLE)


async def _judge_signature(signature: EmbeddedPdfSignature, view: _View, later: datetime | None) -> SignatureReport:
    async def validate(moment: datetime) -> PdfSignatureStatus:
        return await async_validate_pdf_signature(
            signature,
            context(view.trust.signing_certificates, view.others, moment),
            context(view.trust.timestamping_certificates, view.others, later or view.at),
            key_usage_settings=SIGNER_KEY_USAGE,
            algorithm_policy=SIGNATURES,
        )

    judged = await judge_in_time(signature.signer_info, validate, view.trust, view.at, later)
    is_pades = signature.sig_object.get("/SubFilter") == SigSeedSubFilter.PADES.value
    found = facts(judged.status, view.trust)
    found["problems"] += judged.problems
    return SignatureReport(
        name=str(signature.field_name),
        kind=SignatureKind.SIGNATURE,
        best_time=judged.moment,
        proven_time=judged.proven,
        claimed_time=judged.status.signer_reported_dt,
        timestamp=judged.timestamp,
        level=level(signature.signer_info, timestamped=judged.is_stamped) if is_pades else None,
        coverage=coverage(judged.status),
        changes=changes(judged.status),
        profile=Profile.PADES,
        algorithm=algorithm(signature.signer_info),
        **found,
    )


async def _judge_timestamp(signature: EmbeddedPdfSignature, view: _View, later: datetime | None) -> SignatureReport:
    validation = context(view.trust.timestamping_certificates, view.others, later or view.at)
    status = await async_validate_pdf_timestamp(signature, validation)
    is_valid = is_trusted(status, view.trust)
    return SignatureReport(
        name=str(signature.field_name),
        kind=SignatureKind.DOCUMENT_TIMESTAMP,
        best_time=status.timestamp,
        proven_time=status.timestamp if is_valid else None,
        timestamp=timestamp_report(status, signature.signed_data, view.trust, valid=is_valid),
        coverage=coverage(status),
        changes=changes(status),
        profile=Profile.PADES,
        algorithm=algorithm(signature.signer_info),
        **facts(status, view.trust),
    )


def _stored(reader: PdfFileReader) -> tuple[Certificate, ...]:
    """The certificates of the DSS; none when it can't be read, which is no signature's fault."""
    try:
        store = DocumentSecurityStore.read_dss(reader)
        return tuple(islice(store.load_certs(), STORED_MAX))
    except (PdfDecodeLimitError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  # as in _parse; NoDSSFoundError where there is none
        return ()
