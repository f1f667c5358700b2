"""Verify every signature of a PDF.

One document, in this order:
1. open it leniently: what can be read is judged (header, end and encryption as for signing);
2. collect the filled signature fields, oldest first; one that can't be parsed is reported as failed, not skipped;
3. for each: what its byte range leaves out must be its own /Contents and nothing else (`hole`), then digest, coverage, changes after it,
   CMS, chain, timestamp. A signature whose timestamp stands is judged at the timestamp's time, any other at `at`;
4. turn the status into an indication and a level.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from asn1crypto.x509 import Certificate
from cryptography.x509 import load_der_x509_certificate
from pyhanko.pdf_utils.generic import DictionaryObject
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import extract_tst_data_iter, get_signing_cert_attr
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature, async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko.sign.validation.status import PdfSignatureStatus, TimestampSignatureStatus

from signer.errors import DocumentTooCostly, InvalidArgument
from signer.formats.pades.reading import open_to_verify
from signer.formats.pades.refusal import refusals
from signer.model import Level
from signer.validation import names
from signer.validation.hole import leaves_out_only_itself
from signer.validation.indication import INDICATIONS, Status, changes, coverage, findings, is_trusted, path
from signer.validation.policy import SIGNATURES, SIGNER_KEY_USAGE, context
from signer.validation.report import Coverage, DocumentReport, Indication, SignatureKind, SignatureReport, TimestampReport
from signer.validation.trust import TrustAnchors

names.install()

SIGNATURES_MAX: Final = 100
"""More than any record has (about 15); the work grows with the square of it."""
_CLOCKS_APART_MAX: Final = timedelta(minutes=5)
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
        return asyncio.run(_verify(open_to_verify(document), trust, moment))


async def _verify(reader: PdfFileReader, trust: TrustAnchors, at: datetime) -> DocumentReport:
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
    readable.sort(key=lambda signature: signature.signed_revision)
    reports = [await _judge(signature, trust, at) for signature in readable]
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


async def _judge(signature: EmbeddedPdfSignature, trust: TrustAnchors, at: datetime) -> SignatureReport:
    is_timestamp = signature.sig_object_type == "/DocTimeStamp"
    kind = SignatureKind.DOCUMENT_TIMESTAMP if is_timestamp else SignatureKind.SIGNATURE
    try:
        if not leaves_out_only_itself(signature):
            return _failed(signature.field_name, kind, "the signature's byte range leaves out more than the signature", Coverage.PARTIAL)
        if is_timestamp:
            return await _judge_timestamp(signature, trust, at)
        return await _judge_signature(signature, trust, at)
    except SignatureValidationError as error:
        sub = error.ades_subindication
        problem = f"{_UNREADABLE}: its form is not one that is accepted"
        return SignatureReport(str(signature.field_name), kind, INDICATIONS[sub.status], sub.standard_name, problems=(problem,))
    except (PdfDecodeLimitError, MemoryError):
        raise
    except Exception:  # noqa: BLE001  # as in _parse
        return _failed(signature.field_name, kind, _UNREADABLE)


async def _judge_signature(signature: EmbeddedPdfSignature, trust: TrustAnchors, at: datetime) -> SignatureReport:
    stamped = _stamped_time(signature)
    in_time = stamped is not None and stamped <= at + _CLOCKS_APART_MAX
    moment = stamped if stamped is not None and in_time else at
    status = await _validate(signature, trust, moment, at)
    stamp = status.timestamp_validity
    stands = stamp is not None and in_time and is_trusted(stamp, trust)
    if moment != at and not stands:
        moment = at
        status = await _validate(signature, trust, at, at)
    problems = [] if stamp is None or stands else ["its timestamp is not valid or not trusted, so it proves no time"]
    return _report(
        signature,
        status,
        trust,
        kind=SignatureKind.SIGNATURE,
        best_time=moment,
        claimed_time=status.signer_reported_dt,
        timestamp=None if stamp is None else _timestamp(stamp, valid=stands),
        level=_level(signature, timestamped=stands),
        problems=problems,
    )


async def _validate(signature: EmbeddedPdfSignature, trust: TrustAnchors, moment: datetime, at: datetime) -> PdfSignatureStatus:
    intermediates = trust.intermediate_certificates
    return await async_validate_pdf_signature(
        signature,
        context(trust.signing_certificates, intermediates, moment),
        context(trust.timestamping_certificates, intermediates, at),
        key_usage_settings=SIGNER_KEY_USAGE,
        algorithm_policy=SIGNATURES,
    )


async def _judge_timestamp(signature: EmbeddedPdfSignature, trust: TrustAnchors, at: datetime) -> SignatureReport:
    status = await async_validate_pdf_timestamp(signature, context(trust.timestamping_certificates, trust.intermediate_certificates, at))
    stamp = _timestamp(status, valid=is_trusted(status, trust))
    return _report(signature, status, trust, kind=SignatureKind.DOCUMENT_TIMESTAMP, best_time=status.timestamp, timestamp=stamp)


def _report(
    signature: EmbeddedPdfSignature,
    status: Status,
    trust: TrustAnchors,
    *,
    kind: SignatureKind,
    best_time: datetime,
    timestamp: TimestampReport | None,
    claimed_time: datetime | None = None,
    level: Level | None = None,
    problems: list[str] | None = None,
) -> SignatureReport:
    found = tuple(findings(status, trust))
    certificate: Certificate = status.signing_cert
    return SignatureReport(
        name=str(signature.field_name),
        kind=kind,
        indication=found[0].indication if found else Indication.TOTAL_PASSED,
        sub_indication=found[0].sub_indication.standard_name if found else "",
        signer=_subject(certificate),
        serial_number=f"{certificate.serial_number:X}",
        claimed_time=claimed_time,
        best_time=best_time,
        timestamp=timestamp,
        level=level,
        coverage=coverage(status),
        changes=changes(status),
        intact=status.intact and status.valid,
        trusted=is_trusted(status, trust),
        chain=tuple(_subject(link) for link in path(status)) if is_trusted(status, trust) else (),
        problems=(*(finding.problem for finding in found), *(problems or ())),
    )


def _timestamp(status: TimestampSignatureStatus, *, valid: bool) -> TimestampReport:
    return TimestampReport(status.timestamp, valid, _subject(status.signing_cert), intact=status.intact and status.valid)


def _stamped_time(signature: EmbeddedPdfSignature) -> datetime | None:
    """The gen time that the signature's first timestamp names; not verified yet."""
    token = next(extract_tst_data_iter(signature.signer_info, signed=False), None)
    if token is None:
        return None
    time: datetime = token["encap_content_info"]["content"].parsed["gen_time"].native
    return time


def _level(signature: EmbeddedPdfSignature, *, timestamped: bool) -> Level | None:
    """B-B: ETSI.CAdES.detached with the signing certificate in the signed attributes (EN 319 142-1 6.3). B-T: and a valid timestamp."""
    is_pades = signature.sig_object.get("/SubFilter") == SigSeedSubFilter.PADES.value
    if not is_pades or get_signing_cert_attr(signature.signer_info["signed_attrs"]) is None:
        return None
    return Level.B_T if timestamped else Level.B_B


def _subject(certificate: Certificate) -> str:
    """RFC 4514 where the name is well-formed, else as asn1crypto reads it."""
    try:
        return load_der_x509_certificate(certificate.dump()).subject.rfc4514_string()
    except ValueError:
        return str(certificate.subject.human_friendly)
