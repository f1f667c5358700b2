"""Verification of PDFs: what passes, what fails and by which name."""

from __future__ import annotations

import functools
import json
import re
from datetime import UTC, datetime, timedelta

import pikepdf
import pytest

from signer.algorithms import SignatureAlgorithm
from signer.errors import (
    DocumentDamaged,
    DocumentEmpty,
    DocumentEncrypted,
    DocumentNotPdf,
    DocumentTooCostly,
    InvalidArgument,
    SignerError,
)
from signer.formats.pades.update import splice
from signer.model import Level
from signer.validation.pdf import SIGNATURES_MAX, verify_pdf
from signer.validation.report import Changes, Coverage, DocumentReport, Indication, SignatureKind, SignatureReport
from signer.validation.trust import TrustAnchors
from tests.support import pdfs, pki
from tests.support.updates import appended, numbers_of

ROOT = pki.root().der
TRUST = TrustAnchors(signing=(ROOT,), timestamping=(ROOT,))
AUTHORITY = "CA phục vụ các cơ quan Nhà nước (DEMO)"
CHAIN = (pki.authority(),)
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority(), serial_number=0xABC123)
SCHOOL = pki.issue("TRƯỜNG TIỂU HỌC THỬ NGHIỆM", pki.ec_key(3), pki.authority())
CARD = pdfs.report_card(pages=1, compress=False)
LATER = pdfs.SIGNED_AT + timedelta(days=1)
STAMP = functools.partial(pdfs.timestamp_token, at=pdfs.SIGNED_AT)
sign = functools.partial(pdfs.signed, signer=TEACHER, chain=CHAIN)


def only(report: DocumentReport) -> SignatureReport:
    assert len(report.signatures) == 1
    return report.signatures[0]


def verdict(signature: SignatureReport) -> tuple[Indication, str]:
    return signature.indication, signature.sub_indication


def test_a_signature_at_level_b_b_passes_with_all_its_facts() -> None:
    found = only(verify_pdf(sign(CARD), TRUST, LATER))
    assert verdict(found) == (Indication.TOTAL_PASSED, "")
    assert (found.name, found.kind, found.level) == ("GVCN", SignatureKind.SIGNATURE, Level.B_B)
    assert found.signer.startswith("CN=Trần Văn Giáo,")
    assert found.serial_number == "ABC123"
    assert found.claimed_time == pdfs.SIGNED_AT
    assert (found.best_time, found.timestamp) == (LATER, None)
    assert (found.coverage, found.changes) == (Coverage.DOCUMENT, Changes.NONE)
    assert (found.intact, found.trusted, found.problems) == (True, True, ())
    assert [name.split(",")[0] for name in found.chain] == ["CN=Trần Văn Giáo", f"CN={AUTHORITY}", "CN=Root G2 (DEMO)"]


def test_a_timestamp_raises_the_level_and_is_named() -> None:
    found = only(verify_pdf(sign(CARD, timestamp=STAMP), TRUST, LATER))
    assert verdict(found) == (Indication.TOTAL_PASSED, "")
    assert (found.level, found.best_time) == (Level.B_T, pdfs.SIGNED_AT)
    assert found.timestamp is not None
    assert (found.timestamp.time, found.timestamp.valid) == (pdfs.SIGNED_AT, True)
    assert "CN=TSA (DEMO)" in found.timestamp.authority


def test_three_signatures_are_reported_in_order_with_what_came_after_each() -> None:
    document = sign(CARD, "GVCN", timestamp=STAMP)
    document = sign(document, "CBQL", timestamp=STAMP)
    document = sign(document, "VANTHU", signer=SCHOOL, algorithm=SignatureAlgorithm.ECDSA_SHA256)
    report = verify_pdf(document, TRUST, LATER)
    assert [signature.name for signature in report.signatures] == ["GVCN", "CBQL", "VANTHU"]
    assert [signature.coverage for signature in report.signatures] == [Coverage.REVISION, Coverage.REVISION, Coverage.DOCUMENT]
    assert all(signature.changes is not Changes.FORBIDDEN for signature in report.signatures)
    assert report.indication is Indication.TOTAL_PASSED


@pytest.mark.parametrize("variant", pdfs.VARIANTS)
def test_every_kind_of_pdf_can_be_verified(variant: str) -> None:
    document = sign(sign(pdfs.VARIANTS[variant](1), "GVCN"), "CBQL")
    assert [verdict(signature) for signature in verify_pdf(document, TRUST, LATER).signatures] == [(Indication.TOTAL_PASSED, "")] * 2


def test_an_unsigned_document_is_indeterminate_and_says_so() -> None:
    report = verify_pdf(CARD, TRUST, LATER)
    assert (report.signatures, report.indication, report.problems) == ((), Indication.INDETERMINATE, ("the document is not signed",))


def test_a_changed_byte_fails_by_its_hash() -> None:
    found = only(verify_pdf(sign(CARD).replace(b"mark 10", b"mark 11", 1), TRUST, LATER))
    assert verdict(found) == (Indication.TOTAL_FAILED, "HASH_FAILURE")
    assert not found.intact


def test_a_signature_by_another_key_than_its_certificates_fails() -> None:
    impostor = pki.Issued(TEACHER.x509, pki.rsa_key(9))
    found = only(verify_pdf(sign(CARD, signer=impostor), TRUST, LATER))
    assert verdict(found) == (Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE")


FORGED_PAGE = b"<< /Length 18 >>\nstream\nBT (mark 10) Tj ET\nendstream"


def test_a_mark_changed_by_a_later_update_fails() -> None:
    signed = sign(CARD)
    page, _, _ = numbers_of(signed)
    found = only(verify_pdf(appended(signed, {page: FORGED_PAGE}), TRUST, LATER))
    assert verdict(found) == (Indication.TOTAL_FAILED, "FORMAT_FAILURE")
    assert (found.intact, found.coverage, found.changes) == (True, Coverage.REVISION, Changes.FORBIDDEN)


def test_a_padded_copy_of_the_signature_does_not_hide_a_changed_mark() -> None:
    """The lengths of both ranges and of the copied /Contents add up to the file's: pyHanko's own coverage check is content with that."""
    signed = sign(CARD)
    page, signature, cms = numbers_of(signed)
    ranges = re.findall(rb"/ByteRange \[0 (\d+) \d+ (\d+)\]", signed)[0]
    escaped = cms.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)").replace(b"\r", b"\\r")
    numbers = re.findall(rb"/ByteRange \[[\d ]+\]", signed)[0]

    def forged(padding: int, comment: int) -> bytes:
        copy = b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached %s /Contents (%s) >>"
        body = copy % (numbers, escaped + bytes(padding))
        return appended(signed, {page: FORGED_PAGE, signature: body}, b" " * comment)

    def missing(padding: int, comment: int) -> int:
        return sum(map(int, ranges)) + 2 * (len(cms) + padding) + 2 - len(forged(padding, comment))

    padding = next(size for size in range(10_000, 60_000, 500) if missing(size, 0) >= 0)
    document = forged(padding, missing(padding, 0))
    assert missing(padding, missing(padding, 0)) == 0
    found = only(verify_pdf(document, TRUST, LATER))
    assert verdict(found) == (Indication.TOTAL_FAILED, "FORMAT_FAILURE")
    assert found.coverage is Coverage.PARTIAL


@pytest.mark.parametrize("cms", [b"", b"\x30\x03abc", bytes(200), b"\x30\x80\x00\x00"])
def test_a_signature_that_cannot_be_read_is_reported_beside_the_good_ones(cms: bytes) -> None:
    good = sign(CARD, "GVCN")
    bad = good + splice(pdfs.prepared(good, "CBQL"), cms)
    report = verify_pdf(bad, TRUST, LATER)
    assert {signature.name: verdict(signature) for signature in report.signatures} == {
        "GVCN": (Indication.TOTAL_PASSED, ""),
        "CBQL": (Indication.TOTAL_FAILED, "FORMAT_FAILURE"),
    }
    assert report.indication is Indication.TOTAL_FAILED


def test_an_old_subfilter_is_reported_not_skipped() -> None:
    signed = sign(CARD).replace(b"/ETSI.CAdES.detached", b"/adbe.x509.rsa_sha1 ", 1)
    found = only(verify_pdf(signed, TRUST, LATER))
    assert found.indication is not Indication.TOTAL_PASSED


def test_a_plain_pkcs7_signature_has_no_pades_level() -> None:
    signed = sign(CARD).replace(b"/ETSI.CAdES.detached", b"/adbe.pkcs7.detached ", 1)
    assert only(verify_pdf(signed, TRUST, LATER)).level is None


def test_more_signatures_than_anyone_has_are_refused() -> None:
    def edit(pdf: pikepdf.Pdf) -> None:
        value = pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Sig))
        for number in range(SIGNATURES_MAX + 1):
            field = pikepdf.Dictionary(FT=pikepdf.Name.Sig, T=pikepdf.String(f"s{number}"), V=value)
            pdf.Root.AcroForm.Fields.append(pdf.make_indirect(field))

    with pytest.raises(DocumentTooCostly):
        verify_pdf(pdfs.edited(pdfs.with_empty_field(CARD, "x"), edit), TRUST, LATER)


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (b"", DocumentEmpty),
        (b"GIF89a", DocumentNotPdf),
        (CARD[:900], DocumentDamaged),
        (pdfs.encrypted(CARD, user="secret"), DocumentEncrypted),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(document: bytes, kind: type[SignerError]) -> None:
    with pytest.raises(kind):
        verify_pdf(document, TRUST, LATER)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        verify_pdf(CARD, TRUST, datetime(2026, 5, 30))  # noqa: DTZ001


def test_the_report_is_plain_json() -> None:
    report = verify_pdf(sign(CARD, timestamp=STAMP), TRUST, LATER).to_json()
    read = json.loads(json.dumps(report))
    assert read == report
    assert read["indication"] == "TOTAL_PASSED"
    assert read["signatures"][0]["level"] == "b-t"
    assert read["signatures"][0]["timestamp"]["time"] == pdfs.SIGNED_AT.astimezone(UTC).isoformat()
