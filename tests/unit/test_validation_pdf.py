"""Verification of PDFs: what passes, what fails and by which name, and that it never asks the network."""

from __future__ import annotations

import functools
import json
import logging
import re
import socket
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pikepdf
import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.algorithms import SignatureAlgorithm
from signer.errors import (
    ConfigError,
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
from signer.validation.report import Changes, Coverage, Indication, PdfReport, SignatureKind, SignatureReport
from signer.validation.trust import TrustAnchors
from tests.support import pdfs, pki

ROOT = pki.root().der
TRUST = TrustAnchors(signing=(ROOT,), timestamping=(ROOT,))
AUTHORITY = "CA phục vụ các cơ quan Nhà nước (DEMO)"
CHAIN = (pki.authority(),)
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority(), serial_number=0xABC123)
SCHOOL = pki.issue("TRƯỜNG TIỂU HỌC THỬ NGHIỆM", pki.ec_key(3), pki.authority())
IN_2026 = {"not_before": datetime(2026, 1, 1, tzinfo=UTC), "not_after": datetime(2026, 12, 31, tzinfo=UTC)}
SHORT_LIVED = pki.issue("Lê Thị Hiệu Trưởng", pki.rsa_key(2), pki.authority(), **IN_2026)
CARD = pdfs.report_card(pages=1, compress=False)
LATER = pdfs.SIGNED_AT + timedelta(days=1)
AFTER_EXPIRY = datetime(2028, 1, 1, tzinfo=UTC)
STAMP = functools.partial(pdfs.timestamp_token, at=pdfs.SIGNED_AT)
sign = functools.partial(pdfs.signed, signer=TEACHER, chain=CHAIN)


def only(report: PdfReport) -> SignatureReport:
    assert len(report.signatures) == 1
    return report.signatures[0]


def verdict(signature: SignatureReport) -> tuple[Indication, str]:
    return signature.indication, signature.sub_indication


def test_a_signature_at_level_b_b_passes_with_all_its_facts() -> None:
    found = only(verify_pdf(sign(CARD), TRUST, LATER))
    assert verdict(found) == (Indication.TOTAL_PASSED, "")
    assert (found.field_name, found.kind, found.level) == ("GVCN", SignatureKind.SIGNATURE, Level.B_B)
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
    assert [signature.field_name for signature in report.signatures] == ["GVCN", "CBQL", "VANTHU"]
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


def test_a_mark_changed_by_a_later_update_fails() -> None:
    """An incremental update that exchanges the page's content: the signed bytes are untouched."""
    signed = sign(CARD)
    with pikepdf.open(BytesIO(signed)) as pdf:
        number, generation = pdf.pages[0].obj["/Contents"].objgen
    content = b"BT (mark 10) Tj ET"
    start = len(signed)
    update = b"%d %d obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (number, generation, len(content), content)
    previous = int(re.findall(rb"startxref\s+(\d+)", signed)[-1])
    root = re.findall(rb"/Root (\d+ \d+ R)", signed)[-1]
    size = int(re.findall(rb"/Size (\d+)", signed)[-1])
    table = b"xref\n%d 1\n%010d %05d n \ntrailer\n<< /Size %d /Root %s /Prev %d >>\n" % (number, start, generation, size, root, previous)
    forged = signed + update + table + b"startxref\n%d\n%%%%EOF\n" % (start + len(update))
    found = only(verify_pdf(forged, TRUST, LATER))
    assert verdict(found) == (Indication.TOTAL_FAILED, "FORMAT_FAILURE")
    assert (found.intact, found.coverage, found.changes) == (True, Coverage.REVISION, Changes.FORBIDDEN)


def test_a_signer_of_another_root_is_not_trusted() -> None:
    other_root = pki.issue("Other root", pki.rsa_key(5), is_ca=True)
    stranger = pki.issue("Stranger", pki.rsa_key(4), other_root)
    found = only(verify_pdf(sign(CARD, signer=stranger, chain=(other_root,)), TRUST, LATER))
    assert verdict(found) == (Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")
    assert (found.intact, found.trusted, found.chain) == (True, False, ())


def test_a_self_signed_signer_is_not_trusted() -> None:
    found = only(verify_pdf(sign(CARD, signer=pki.issue("Stranger", pki.rsa_key(4)), chain=()), TRUST, LATER))
    assert (found.indication, found.intact, found.trusted) == (Indication.INDETERMINATE, True, False)


def sha1_signed(issued: pki.Issued, issuer: pki.Issued) -> pki.Issued:
    """The same certificate as the government's first generation would have signed it: by RSA with SHA-1."""
    certificate = asn1_x509.Certificate.load(issued.der)
    body = certificate["tbs_certificate"]
    body["signature"] = certificate["signature_algorithm"] = {"algorithm": "sha1_rsa"}
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    certificate["signature_value"] = issuer.key.sign(body.dump(force=True), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    return pki.Issued(x509.load_der_x509_certificate(certificate.dump(force=True)), issued.key)


def test_sha1_is_accepted_on_certificates_the_caller_configured_and_on_no_other() -> None:
    old = sha1_signed(pki.issue("CA G1 (DEMO)", pki.rsa_key(5), pki.root(), is_ca=True), pki.root())
    signed = sign(CARD, signer=pki.issue("Giáo viên G1", pki.rsa_key(4), old), chain=(old,))
    unnamed = only(verify_pdf(signed, TRUST, LATER))
    assert verdict(unnamed) == (Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE")
    assert (unnamed.trusted, unnamed.chain) == (False, ())
    assert verify_pdf(signed, TrustAnchors((ROOT,), (), (old.der,)), LATER).indication is Indication.TOTAL_PASSED
    leaf = sha1_signed(pki.issue("Giáo viên SHA-1", pki.rsa_key(4), pki.authority()), pki.authority())
    assert only(verify_pdf(sign(CARD, signer=leaf), TRUST, LATER)).sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"


def test_no_anchors_trust_nobody_not_the_machines_own_store() -> None:
    found = only(verify_pdf(sign(CARD), TrustAnchors((), ()), LATER))
    assert verdict(found) == (Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")


def test_a_leaf_only_signature_chains_through_the_callers_intermediates() -> None:
    leaf_only = sign(CARD, chain=())
    assert only(verify_pdf(leaf_only, TRUST, LATER)).sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"
    complete = TrustAnchors((ROOT,), (ROOT,), intermediates=(pki.authority().der,))
    assert verify_pdf(leaf_only, complete, LATER).indication is Indication.TOTAL_PASSED


def test_an_expired_certificate_passes_only_with_a_timestamp_from_its_lifetime() -> None:
    bare = only(verify_pdf(sign(CARD, signer=SHORT_LIVED), TRUST, AFTER_EXPIRY))
    assert verdict(bare) == (Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE")
    stamped = only(verify_pdf(sign(CARD, signer=SHORT_LIVED, timestamp=STAMP), TRUST, AFTER_EXPIRY))
    assert verdict(stamped) == (Indication.TOTAL_PASSED, "")
    late = functools.partial(pdfs.timestamp_token, at=AFTER_EXPIRY)
    too_late = only(verify_pdf(sign(CARD, signer=SHORT_LIVED, timestamp=late), TRUST, AFTER_EXPIRY))
    assert verdict(too_late) == (Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE")


@pytest.mark.parametrize("fault", ["other content", "not trusted", "from the future"])
def test_a_timestamp_that_does_not_stand_proves_nothing(fault: str) -> None:
    stamp = STAMP
    trust = TRUST
    at = AFTER_EXPIRY
    if fault == "other content":
        stamp = functools.partial(STAMP, imprint_of=b"something else")
    elif fault == "not trusted":
        trust = TrustAnchors((ROOT,), ())
    else:
        at = pdfs.SIGNED_AT - timedelta(hours=1)
    found = only(verify_pdf(sign(CARD, signer=SHORT_LIVED, timestamp=stamp), trust, at))
    assert found.level is Level.B_B
    assert found.timestamp is not None
    assert not found.timestamp.valid
    assert found.best_time == at
    assert any("timestamp" in problem for problem in found.problems)
    assert (found.indication is Indication.TOTAL_PASSED) is (fault == "from the future")


def test_a_timestamp_authority_without_the_right_usage_is_no_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    other = pki.issue("no TSA", pki.rsa_key(102), pki.authority(), usages=(ExtendedKeyUsageOID.EMAIL_PROTECTION,))
    monkeypatch.setattr(pki, "tsa", lambda: other)
    found = only(verify_pdf(sign(CARD, timestamp=STAMP), TRUST, LATER))
    assert (found.level, found.indication) == (Level.B_B, Indication.TOTAL_PASSED)


def test_a_certificate_for_other_purposes_does_not_sign_documents() -> None:
    authority = only(verify_pdf(sign(CARD, signer=pki.authority(), chain=()), TRUST, LATER))
    assert verdict(authority) == (Indication.INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE")


@pytest.mark.parametrize("cms", [b"", b"\x30\x03abc", bytes(200), b"\x30\x80\x00\x00"])
def test_a_signature_that_cannot_be_read_is_reported_beside_the_good_ones(cms: bytes) -> None:
    good = sign(CARD, "GVCN")
    bad = good + splice(pdfs.prepared(good, "CBQL"), cms)
    report = verify_pdf(bad, TRUST, LATER)
    assert {signature.field_name: verdict(signature) for signature in report.signatures} == {
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


def test_an_anchor_that_is_no_certificate_is_the_configurations_fault() -> None:
    with pytest.raises(ConfigError):
        TrustAnchors((b"nonsense",), ())


def test_the_report_is_plain_json() -> None:
    report = verify_pdf(sign(CARD, timestamp=STAMP), TRUST, LATER).to_json()
    read = json.loads(json.dumps(report))
    assert read == report
    assert read["indication"] == "TOTAL_PASSED"
    assert read["signatures"][0]["level"] == "b-t"
    assert read["signatures"][0]["timestamp"]["time"] == pdfs.SIGNED_AT.astimezone(UTC).isoformat()


def test_a_parser_logs_nothing_of_a_document() -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        verify_pdf(sign(CARD, signer=SHORT_LIVED), TRUST, AFTER_EXPIRY)
    finally:
        logging.getLogger().removeHandler(handler)
    assert [record for record in records if record.name.startswith("pyhanko")] == []


def test_nothing_is_fetched_whatever_a_certificate_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def dial(*_: object) -> None:
        raise AssertionError("verification opened a connection")

    monkeypatch.setattr(socket.socket, "connect", dial)
    monkeypatch.setattr(socket, "getaddrinfo", dial)
    signer = with_urls()
    found = only(verify_pdf(sign(CARD, signer=signer, chain=()), TRUST, LATER))
    assert verdict(found) == (Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")
    assert verify_pdf(sign(CARD, signer=signer), TRUST, LATER).indication is Indication.TOTAL_PASSED


def with_urls() -> pki.Issued:
    """A certificate that names an OCSP responder, its issuer's certificate and a CRL."""
    url = x509.UniformResourceIdentifier("http://127.0.0.1:9/x")
    access = [
        x509.AccessDescription(oid, url) for oid in (x509.AuthorityInformationAccessOID.OCSP, x509.AuthorityInformationAccessOID.CA_ISSUERS)
    ]
    point = x509.DistributionPoint([url], None, None, None)
    builder = x509.CertificateBuilder(
        issuer_name=pki.authority().x509.subject,
        subject_name=pki.name("Có URL"),
        public_key=pki.rsa_key(1).public_key(),
        serial_number=7,
        not_valid_before=pki.NOT_BEFORE,
        not_valid_after=pki.NOT_AFTER,
        extensions=[
            x509.Extension(x509.KeyUsage.oid, True, pki.key_usage(is_ca=False)),  # noqa: FBT003
            x509.Extension(x509.AuthorityInformationAccess.oid, False, x509.AuthorityInformationAccess(access)),  # noqa: FBT003
            x509.Extension(x509.CRLDistributionPoints.oid, False, x509.CRLDistributionPoints([point])),  # noqa: FBT003
        ],
    )
    return pki.Issued(builder.sign(pki.authority().key, hashes.SHA256()), pki.rsa_key(1))
