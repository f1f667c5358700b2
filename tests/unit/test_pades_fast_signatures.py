"""What the fast PAdES path signs, judged by pdfsig, qpdf and pyHanko's validator with its difference analysis."""

from __future__ import annotations

import subprocess
from functools import cache
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from signer.algorithms import SignatureAlgorithm
from signer.demo.pupils import generate_class
from signer.demo.report_card import FileStructure, render
from signer.model import FieldPlacement
from tests.support import pdfs, pki
from tests.support.fastpath import signed_fast

ROOT = x509.Certificate.load(pki.root().der)
CHAIN = (pki.authority(),)
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority())
SCHOOL = pki.issue("TRƯỜNG TIỂU HỌC THỬ NGHIỆM", pki.ec_key(3), pki.authority())
HANDED_OVER = {"hybrid", "junk after the end"}
STRUCTURES = [structure.value for structure in FileStructure]
UNCHANGED = {ModificationLevel.NONE, ModificationLevel.FORM_FILLING, ModificationLevel.LTA_UPDATES}


@cache
def report_card(structure: str) -> bytes:
    """A card as the demo prints it: its pupils' files have the four structures by turns."""
    school_class = generate_class(size=len(STRUCTURES))
    return render(school_class, school_class.pupils[STRUCTURES.index(structure)])


def document(kind: str) -> bytes:
    return report_card(kind) if kind in STRUCTURES else pdfs.VARIANTS[kind](1)


def pdfsig(signed: bytes, path: Path) -> list[str]:
    """Its report, one text a signature."""
    path.write_bytes(signed)
    report = subprocess.run(["pdfsig", "-nocert", path], check=True, capture_output=True, text=True).stdout
    return report.split("Signature #")[1:]


def judged(signed: bytes) -> None:
    """Every signature intact and trusted, the last one over the whole file, and nothing changed that signing may not change."""
    signatures = PdfFileReader(BytesIO(signed), strict=True).embedded_signatures
    for signature in signatures:
        status = validate_pdf_signature(signature, ValidationContext(trust_roots=[ROOT], moment=pdfs.SIGNED_AT))
        assert status.bottom_line
        assert status.modification_level in UNCHANGED
    assert signatures[-1].evaluate_signature_coverage() is SignatureCoverageLevel.ENTIRE_FILE


@pytest.mark.parametrize("kind", [*(kind for kind in pdfs.VARIANTS if kind not in HANDED_OVER), *STRUCTURES])
def test_pades_fast_three_signatures_stand_in_every_kind_of_report_card(kind: str, tmp_path: Path) -> None:
    teacher = signed_fast(document(kind), "GVCN", signer=TEACHER, chain=CHAIN)
    principal = signed_fast(
        teacher, FieldPlacement("Hiệu trưởng", "Lê Thị (Hiệu) Trưởng", "xác nhận", "Hà Nội"), signer=TEACHER, chain=CHAIN
    )
    seal = signed_fast(principal, "VANTHU", signer=SCHOOL, chain=CHAIN, algorithm=SignatureAlgorithm.ECDSA_SHA256)
    found = pdfsig(seal, tmp_path / "signed.pdf")
    assert ["Signature is Valid." in text for text in found] == [True, True, True]
    assert "Total document signed" in found[-1]
    assert all("ETSI.CAdES.detached" in text for text in found)
    judged(seal)
    with pikepdf.open(BytesIO(seal)) as pdf:
        assert pdf.check_pdf_syntax() == []


def test_pades_fast_the_fifteenth_signature_stands_like_the_first(tmp_path: Path) -> None:
    signed = report_card(FileStructure.OBJECT_STREAMS.value)
    for number in range(15):
        signed = signed_fast(signed, f"GVBM{number}", signer=SCHOOL, chain=CHAIN, algorithm=SignatureAlgorithm.ECDSA_SHA256)
    found = pdfsig(signed, tmp_path / "signed.pdf")
    assert ["Signature is Valid." in text for text in found] == [True] * 15
    assert "Total document signed" in found[-1]
    first = PdfFileReader(BytesIO(signed)).embedded_signatures[0]
    status = validate_pdf_signature(first, ValidationContext(trust_roots=[ROOT], moment=pdfs.SIGNED_AT))
    assert status.bottom_line
    assert status.modification_level in UNCHANGED


@pytest.mark.parametrize("order", ["fast after complete", "complete after fast"])
def test_pades_fast_and_complete_signatures_stand_side_by_side(order: str) -> None:
    card = report_card(FileStructure.CLASSIC_LINEARIZED.value)
    if order == "fast after complete":
        judged(signed_fast(pdfs.signed(card, "GVCN", signer=TEACHER, chain=CHAIN), "CBQL", signer=TEACHER, chain=CHAIN))
    else:
        judged(pdfs.signed(signed_fast(card, "GVCN", signer=TEACHER, chain=CHAIN), "CBQL", signer=TEACHER, chain=CHAIN))


@pytest.mark.parametrize("where", [0.02, 0.4, 0.99])
def test_pades_fast_a_changed_byte_is_noticed(where: float, tmp_path: Path) -> None:
    original = pdfs.report_card(compress=False, pages=1)
    signed = bytearray(signed_fast(original, "GVCN", signer=TEACHER, chain=CHAIN))
    signed[signed.index(b"mark 10", int(len(original) * where * 0.5)) + 5] ^= 1
    assert "Digest Mismatch" in pdfsig(bytes(signed), tmp_path / "tampered.pdf")[0]
