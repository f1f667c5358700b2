"""The complete path, judged by pdfsig, OpenSSL and pyHanko's validator, and what it refuses."""

from __future__ import annotations

import re
import subprocess
import zlib
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from signer.algorithms import SignatureAlgorithm
from signer.errors import (
    DocumentDamaged,
    DocumentEmpty,
    DocumentEncrypted,
    DocumentError,
    DocumentLocked,
    DocumentNotPdf,
    DocumentTooCostly,
    DocumentUnsupported,
    FieldAlreadySigned,
    InvalidArgument,
    RequestError,
)
from signer.model import FieldPlacement
from tests.support import pdfs, pki

ROOT = x509.Certificate.load(pki.root().der)
PUPIL_UTF16 = pdfs.PUPIL.encode("utf-16-be")
NOT_IN_UPDATES = (b"/Author", b"/Title", b"/ModDate", b"/Producer", b"xpacket", pdfs.PUPIL.encode(), PUPIL_UTF16)
CHAIN = (pki.authority(),)
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority())
PRINCIPAL = pki.issue("Lê Thị Hiệu Trưởng", pki.rsa_key(2), pki.authority())
SCHOOL = pki.issue("TRƯỜNG TIỂU HỌC THỬ NGHIỆM", pki.ec_key(3), pki.authority())


def three_signatures(document: bytes) -> bytes:
    teacher = pdfs.signed(document, "GVCN", signer=TEACHER, chain=CHAIN)
    principal = pdfs.signed(teacher, "CBQL", signer=PRINCIPAL, chain=CHAIN)
    return pdfs.signed(principal, "VANTHU", signer=SCHOOL, chain=CHAIN, algorithm=SignatureAlgorithm.ECDSA_SHA256)


def pdfsig(path: Path) -> list[str]:
    """Its report, one text a signature."""
    report = subprocess.run(["pdfsig", "-nocert", path], check=True, capture_output=True, text=True).stdout
    return report.split("Signature #")[1:]


@pytest.mark.parametrize("variant", pdfs.VARIANTS)
def test_pades_three_signatures_stand_in_every_kind_of_pdf(variant: str, tmp_path: Path) -> None:
    signed = three_signatures(pdfs.VARIANTS[variant](1))
    path = tmp_path / "signed.pdf"
    path.write_bytes(signed)
    found = pdfsig(path)
    assert ["Signature is Valid." in text for text in found] == [True, True, True]
    assert "Total document signed" in found[-1]
    assert all("ETSI.CAdES.detached" in text for text in found)
    reader = PdfFileReader(BytesIO(signed), strict=variant != "hybrid")
    for signature in reader.embedded_signatures:
        status = validate_pdf_signature(signature, ValidationContext(trust_roots=[ROOT], moment=pdfs.SIGNED_AT))
        assert status.bottom_line
        assert status.modification_level in {ModificationLevel.NONE, ModificationLevel.FORM_FILLING, ModificationLevel.LTA_UPDATES}


@pytest.mark.parametrize("algorithm", [SignatureAlgorithm.RSA_PKCS1_SHA256, SignatureAlgorithm.RSA_PSS_SHA384])
def test_pades_the_cms_verifies_with_openssl_over_the_byte_range(algorithm: SignatureAlgorithm, tmp_path: Path) -> None:
    signed = pdfs.signed(pdfs.report_card(), signer=TEACHER, chain=CHAIN, algorithm=algorithm)
    signature = PdfFileReader(BytesIO(signed)).embedded_signatures[0]
    _, first, second, length = signature.byte_range
    (tmp_path / "cms.der").write_bytes(signature.pkcs7_content)
    (tmp_path / "content").write_bytes(signed[:first] + signed[second : second + length])
    (tmp_path / "root.pem").write_bytes(pki.root().pem)
    command = "openssl cms -verify -binary -inform DER -in cms.der -content content -CAfile root.pem -purpose any -out checked"
    subprocess.run([*command.split(), "-attime", "1780000000"], check=True, cwd=tmp_path, capture_output=True)


@pytest.mark.parametrize("where", [0.02, 0.4, 0.99])
def test_pades_a_changed_byte_is_noticed(where: float, tmp_path: Path) -> None:
    document = pdfs.report_card(compress=False, pages=1)
    signed = bytearray(pdfs.signed(document, signer=TEACHER, chain=CHAIN))
    signed[signed.index(b"mark 10", int(len(document) * where * 0.5)) + 5] ^= 1
    path = tmp_path / "tampered.pdf"
    path.write_bytes(signed)
    assert "Digest Mismatch" in pdfsig(path)[0]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(pdfs.VARIANTS)), st.integers(0, 10**9), st.integers(1, 3))
def test_pades_keeps_every_byte_of_the_original(variant: str, seed: int, rounds: int) -> None:
    document = pdfs.VARIANTS[variant](seed)
    for field in ("GVCN", "CBQL", "VANTHU")[:rounds]:
        signed = pdfs.signed(document, field, signer=SCHOOL, algorithm=SignatureAlgorithm.ECDSA_SHA256)
        assert signed.startswith(document)
        assert len(PdfFileReader(BytesIO(signed), strict=variant != "hybrid").embedded_signatures) == 1 + ("GVCN", "CBQL", "VANTHU").index(
            field
        )
        document = signed


def test_pades_the_dictionary_says_who_why_where_and_when() -> None:
    texts = ("Trần Văn Giáo", "Xác nhận kết quả học tập", "Hà Nội")
    signed = pdfs.signed(pdfs.report_card(), FieldPlacement("GVCN", *texts), signer=TEACHER)
    with pikepdf.open(BytesIO(signed)) as pdf:
        value = pdf.Root.AcroForm.Fields[0].V
        assert [str(value[key]) for key in ("/Name", "/Reason", "/Location")] == list(texts)
        assert str(value.M) == "D:20260530081500+07'00'"


def test_pades_empty_texts_are_left_out() -> None:
    update = pdfs.prepared(pdfs.report_card()).update
    assert not re.search(rb"/(Name|Reason|Location|ContactInfo|Prop_Build)\b", update)


def test_pades_the_update_holds_no_metadata_of_the_document() -> None:
    def add_xmp(pdf: pikepdf.Pdf) -> None:
        with pdf.open_metadata() as metadata:
            metadata["dc:title"] = pdfs.PUPIL

    for document in (pdfs.report_card(), pdfs.edited(pdfs.report_card(), add_xmp)):
        update = pdfs.prepared(document).update
        for forbidden in NOT_IN_UPDATES:
            assert forbidden not in update


def test_pades_the_room_for_the_cms_is_what_was_asked_for() -> None:
    assert pdfs.prepared(pdfs.report_card(), contents_bytes=12_345).contents_digits == 24_690


def test_pades_new_objects_never_continue_a_comment_line() -> None:
    assert pdfs.prepared(pdfs.report_card().rstrip()).update.startswith(b"\n")


def test_pades_a_visible_empty_field_is_filled_without_drawing() -> None:
    signed = pdfs.signed(pdfs.with_empty_field(pdfs.report_card(), "GVCN", (50, 50, 200, 100)), signer=TEACHER)
    with pikepdf.open(BytesIO(signed)) as pdf:
        assert len(pdf.Root.AcroForm.Fields) == 1
        assert "/AP" not in pdf.Root.AcroForm.Fields[0]


def certified(permission: int) -> bytes:
    """Certified with DocMDP; the CMS is not what matters here."""

    def edit(pdf: pikepdf.Pdf) -> None:
        parameters = pikepdf.Dictionary(Type=pikepdf.Name.TransformParams, P=permission, V=pikepdf.Name("/1.2"))
        reference = pikepdf.Dictionary(TransformMethod=pikepdf.Name.DocMDP, TransformParams=parameters)
        value = pdf.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.Sig, Contents=pikepdf.String(b"0"), Reference=pikepdf.Array([reference]))
        )
        pdf.Root.AcroForm.Fields[0]["/V"] = value
        pdf.Root["/Perms"] = pikepdf.Dictionary(DocMDP=value)

    return pdfs.edited(pdfs.with_empty_field(pdfs.report_card(), "AUTHOR"), edit)


def locked(action: str, *fields: str) -> bytes:
    """Signed in a field whose lock names other fields."""
    lock = pikepdf.Dictionary(Type=pikepdf.Name.SigFieldLock, Action=pikepdf.Name(f"/{action}"))
    if fields:
        lock["/Fields"] = pikepdf.Array([pikepdf.String(field) for field in fields])
    document = pdfs.with_empty_field(pdfs.report_card(), "AUTHOR", Lock=lock)
    return pdfs.signed(document, "AUTHOR", signer=TEACHER)


def with_xfa(pdf: pikepdf.Pdf) -> None:
    pdf.Root["/AcroForm"] = pikepdf.Dictionary(Fields=pikepdf.Array([]), XFA=pikepdf.String("<xdp/>"))


def bomb() -> bytes:
    """An object stream that unpacks to more than pyHanko's limit: it holds the catalog."""
    text = b"1 0 << /Type /Catalog /Pages 2 0 R >>" + b" " * (80 << 20)
    packed = zlib.compress(text, 9)
    rows = b"".join(bytes(row) for row in ([0, 0, 0, 255], [2, 0, 3, 0], [0, 0, 0, 255], [1, 0, 9, 0]))
    out = b"%PDF-1.5\n" + b"3 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed)
    out += packed + b"\nendstream\nendobj\n"
    start = len(out)
    out += b"4 0 obj\n<< /Type /XRef /Size 5 /W [1 2 1] /Index [0 4] /Root 1 0 R /Length %d >>\nstream\n" % len(rows)
    return out + rows + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start


CARD = pdfs.report_card()
SIGNED_ONCE = pdfs.signed(CARD, signer=TEACHER)
REFUSED: dict[str, tuple[bytes, type[RequestError]]] = {
    "zero bytes": (b"", DocumentEmpty),
    "not a PDF": (b"<html>404</html>", DocumentNotPdf),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(2000), DocumentNotPdf),
    "only a header": (b"%PDF-1.7\n", DocumentDamaged),
    "truncated": (CARD[: len(CARD) // 2], DocumentDamaged),
    "last byte of startxref lost": (CARD[: CARD.rindex(b"startxref") + 12], DocumentDamaged),
    "an update truncated": (SIGNED_ONCE[: len(CARD) + 300], DocumentDamaged),
    "junk before the header": (b"\xef\xbb\xbf" + CARD, DocumentUnsupported),
    "wrong startxref": (re.sub(rb"startxref\n\d+", b"startxref\n7", CARD), DocumentDamaged),
    "startxref beyond the end": (re.sub(rb"startxref\n\d+", b"startxref\n99999999", CARD), DocumentDamaged),
    "no catalog": (CARD.replace(b"/Root", b"/Boot"), DocumentDamaged),
    "catalog is no dictionary": (re.sub(rb"/Root \d+ 0 R", b"/Root 99 0 R", CARD), DocumentDamaged),
    "loop of /Prev": (re.sub(rb"/Size", b"/Prev %d /Size" % CARD.rindex(b"xref\n0"), CARD), DocumentDamaged),
    "encrypted": (pdfs.encrypted(CARD, user="secret"), DocumentEncrypted),
    "encrypted for its owner only": (pdfs.encrypted(CARD, user=""), DocumentEncrypted),
    "certified against changes": (certified(1), DocumentLocked),
    "all fields locked": (locked("All"), DocumentLocked),
    "this field locked": (locked("Include", "GVCN"), DocumentLocked),
    "all but another locked": (locked("Exclude", "CBQL"), DocumentLocked),
    "already signed": (SIGNED_ONCE, FieldAlreadySigned),
    "XFA": (pdfs.edited(CARD, with_xfa), DocumentUnsupported),
    "flate bomb": (bomb(), DocumentTooCostly),
}


@pytest.mark.parametrize("case", REFUSED)
def test_pades_what_must_not_be_signed_is_refused_by_name(case: str) -> None:
    document, kind = REFUSED[case]
    with pytest.raises(kind) as caught:
        pdfs.prepared(document)
    assert type(caught.value) is kind
    assert isinstance(caught.value, DocumentError)
    assert pdfs.PUPIL not in caught.value.message
    assert ";" in caught.value.message  # cause; next step


@pytest.mark.parametrize("document", [certified(2), locked("Include", "remark"), locked("Exclude", "GVCN")], ids=["P=2", "other", "ours"])
def test_pades_locks_that_leave_our_field_open_do_not_refuse(document: bytes) -> None:
    assert pdfs.prepared(document).update


@pytest.mark.parametrize("field", ["", "a\nb", "\x00", "\ud800", "GVCN.1", "remark"])
def test_pades_names_no_new_field_can_have_are_refused(field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        pdfs.prepared(pdfs.report_card(form=True), field)
    assert caught.value.metadata == {"field": "field_name"}


def test_pades_text_that_unicode_cannot_write_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        pdfs.prepared(CARD, FieldPlacement("GVCN", reason="\udcff"))
    assert caught.value.metadata == {"field": "reason"}
