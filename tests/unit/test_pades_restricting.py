"""Certifications and field locks by both paths: what they allow stays allowed, what they forbid is noticed and refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from pyhanko.pdf_utils.generic import NameObject, TextStringObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel, SuspiciousModification
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator import ValidationContext

from signer.errors import DocumentLocked, InvalidArgument
from signer.formats.pades.extend import ValidationData
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.model import DocMdp, FieldLock, FieldPlacement, LockAction
from tests.support import looks, pdfs
from tests.support.fastpath import extended, prepared_fast, signed_fast
from tests.unit.test_pades_extend import stamped
from tests.unit.test_pades_fast_agreement import description
from tests.unit.test_pades_fast_signatures import CHAIN, ROOT, TEACHER, judged, pdfsig

PATHS: dict[str, Callable[[bytes, FieldPlacement], bytes]] = {
    "fast": lambda document, placement: signed_fast(document, placement, signer=TEACHER, chain=CHAIN),
    "complete": lambda document, placement: pdfs.signed(document, placement, signer=TEACHER, chain=CHAIN),
}
PERMISSIONS = {DocMdp.NO_CHANGES: MDPPerm.NO_CHANGES, DocMdp.FILL_FORMS: MDPPerm.FILL_FORMS, DocMdp.ANNOTATE: MDPPerm.ANNOTATE}
LOCKS = [FieldLock(LockAction.ALL), FieldLock(LockAction.INCLUDE, ("remark", "Ghi chú")), FieldLock(LockAction.EXCLUDE, ("CBQL", "VANTHU"))]
both_paths = pytest.mark.parametrize("path", PATHS)


@cache
def card() -> bytes:
    return pdfs.report_card(form=True)


def certified(path: str, doc_mdp: DocMdp) -> bytes:
    return PATHS[path](card(), FieldPlacement("GVCN", doc_mdp=doc_mdp))


def first_status(signed: bytes) -> PdfSignatureStatus:
    first = PdfFileReader(BytesIO(signed), strict=True).embedded_signatures[0]
    return validate_pdf_signature(first, ValidationContext(trust_roots=[ROOT], moment=pdfs.SIGNED_AT))


def with_remark(signed: bytes, text: str) -> bytes:
    """Somebody fills the form's text field afterwards."""
    writer = IncrementalPdfFileWriter(BytesIO(signed))
    field = writer.root["/AcroForm"]["/Fields"][0]
    field[NameObject("/V")] = TextStringObject(text)
    writer.update_container(field)
    output = BytesIO()
    writer.write(output)  # type: ignore[no-untyped-call]  # pyHanko is annotated in part
    return output.getvalue()


@both_paths
@pytest.mark.parametrize("doc_mdp", DocMdp)
def test_a_certification_is_one_to_pyhanko_and_stands_for_pdfsig(path: str, doc_mdp: DocMdp, tmp_path: Path) -> None:
    signed = certified(path, doc_mdp)
    reader = PdfFileReader(BytesIO(signed), strict=True)
    assert reader.embedded_signatures[0].docmdp_level is PERMISSIONS[doc_mdp]
    assert reader.root["/Perms"]["/DocMDP"]["/Type"] == "/Sig"
    assert "Signature is Valid." in pdfsig(signed, tmp_path / "signed.pdf")[0]
    judged(signed)


@both_paths
@pytest.mark.parametrize("doc_mdp", [DocMdp.FILL_FORMS, DocMdp.ANNOTATE])
def test_what_a_certification_allows_leaves_it_standing(path: str, doc_mdp: DocMdp) -> None:
    signed = pdfs.signed(certified(path, doc_mdp), "CBQL", signer=TEACHER, chain=CHAIN)
    filled = with_remark(signed, "đã xem")
    assert first_status(signed).bottom_line
    status = first_status(filled)
    assert status.bottom_line
    assert status.docmdp_ok
    assert status.modification_level is ModificationLevel.FORM_FILLING


@both_paths
def test_a_changed_field_breaks_a_certification_against_changes(path: str) -> None:
    status = first_status(with_remark(certified(path, DocMdp.NO_CHANGES), "sửa điểm"))
    assert not status.docmdp_ok
    assert not status.bottom_line


@both_paths
def test_nothing_is_signed_after_a_certification_against_changes(path: str) -> None:
    with pytest.raises(DocumentLocked):
        pdfs.prepared(certified(path, DocMdp.NO_CHANGES), "CBQL")


@both_paths
def test_validation_data_and_an_archive_timestamp_leave_a_certification_against_changes_standing(path: str) -> None:
    status = first_status(stamped(certified(path, DocMdp.NO_CHANGES), ValidationData((TEACHER.der,))))
    assert status.docmdp_ok
    assert status.modification_level is ModificationLevel.LTA_UPDATES


@both_paths
@pytest.mark.parametrize("doc_mdp", DocMdp)
def test_only_the_first_signature_can_certify(path: str, doc_mdp: DocMdp) -> None:
    signed = PATHS[path](card(), FieldPlacement("GVCN"))
    with pytest.raises(DocumentLocked, match="first signature"):
        pdfs.prepared(signed, FieldPlacement("CBQL", doc_mdp=doc_mdp))
    with pytest.raises(HandOver) as caught:
        prepared_fast(signed, FieldPlacement("CBQL", doc_mdp=doc_mdp))
    assert caught.value.reason is FallbackReason.PLACEMENT


@both_paths
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_read_by_others_as_it_was_asked_for(path: str, lock: FieldLock, tmp_path: Path) -> None:
    signed = PATHS[path](card(), FieldPlacement("GVCN", field_lock=lock))
    read = PdfFileReader(BytesIO(signed), strict=True).embedded_signatures[0].fieldmdp
    assert read is not None
    assert (read.action.name, tuple(read.fields or ())) == (lock.action.name, lock.fields)
    with pikepdf.open(BytesIO(signed)) as pdf:
        own = pdf.Root.AcroForm.Fields[-1].Lock
        assert own.is_indirect
        assert [str(name) for name in own.get("/Fields", [])] == list(lock.fields)
    assert "Signature is Valid." in pdfsig(signed, tmp_path / "signed.pdf")[0]
    judged(signed)


@both_paths
@pytest.mark.parametrize("lock", LOCKS)
def test_a_locked_field_that_is_filled_is_found_out(path: str, lock: FieldLock) -> None:
    before = PATHS[path](card(), FieldPlacement("GVCN"))
    assert first_status(with_remark(before, "đã xem")).bottom_line
    after = PATHS[path](card(), FieldPlacement("GVCN", field_lock=lock))
    status = first_status(with_remark(after, "sửa điểm"))
    assert isinstance(status.diff_result, SuspiciousModification)
    assert not status.bottom_line


@both_paths
def test_a_field_that_is_left_open_can_be_signed_and_another_is_refused(path: str) -> None:
    signed = PATHS[path](pdfs.report_card(), FieldPlacement("GVCN", field_lock=LOCKS[2]))
    twice = pdfs.signed(signed, "CBQL", signer=TEACHER, chain=CHAIN)
    assert first_status(twice).bottom_line
    with pytest.raises(DocumentLocked):
        pdfs.prepared(twice, "GVBM")


@pytest.mark.parametrize("prior", range(2))
@pytest.mark.parametrize("variant", ["classic", "form in object streams", "linearized streams", "empty field"])
def test_both_paths_restrict_alike(variant: str, prior: int) -> None:
    document = pdfs.VARIANTS[variant](1)
    if prior:
        document = extended(document, prepared_fast(document, "Kỳ 1"))
    placement = FieldPlacement("CBQL", doc_mdp=None if prior else DocMdp.FILL_FORMS, field_lock=LOCKS[1])
    fast, complete = (_restrictions(sign(document, placement)) for sign in PATHS.values())
    assert fast == complete


def _restrictions(signed: bytes) -> dict[str, object]:
    said = description(signed, "CBQL")
    assert "/Lock" in said.pop("field")  # type: ignore[operator]  # an object number; compared below
    with pikepdf.open(BytesIO(signed)) as pdf:
        field = pdf.Root.AcroForm.Fields[-1]
        for reference in field.V.Reference:
            if "/Data" in reference:
                assert reference.Data.objgen == pdf.Root.objgen
                del reference["/Data"]
        said["references"] = [reference.to_json() for reference in field.V.Reference]
        said["lock"] = field.Lock.to_json(dereference=True)
        said["certifies"] = "/Perms" in pdf.Root and pdf.Root.Perms.DocMDP.objgen == field.V.objgen
    return said


@both_paths
def test_an_existing_field_is_locked_while_nothing_is_signed(path: str) -> None:
    document = pdfs.with_empty_field(pdfs.report_card(), "GVCN", (50, 50, 230, 120))
    signed = PATHS[path](document, FieldPlacement("GVCN", field_lock=LOCKS[1], doc_mdp=DocMdp.FILL_FORMS))
    judged(signed)
    with pikepdf.open(BytesIO(signed)) as pdf:
        assert pdf.Root.AcroForm.Fields[0].Lock.Action == "/Include"


def test_an_existing_field_that_signatures_cover_gets_no_lock() -> None:
    document = pdfs.with_empty_field(pdfs.report_card(), "CBQL")
    document = extended(document, prepared_fast(document, "GVCN"))
    placement = FieldPlacement("CBQL", field_lock=LOCKS[0])
    with pytest.raises(InvalidArgument, match="name a new field"):
        pdfs.prepared(document, placement)
    with pytest.raises(HandOver):
        prepared_fast(document, placement)


@pytest.mark.parametrize(
    ("own", "asked", "is_taken"),
    [
        ({"Action": pikepdf.Name.All}, LOCKS[0], True),
        ({"Action": pikepdf.Name.Include, "Fields": ["Ghi chú", "remark"]}, LOCKS[1], True),
        ({"Action": pikepdf.Name.Include, "Fields": ["remark"]}, LOCKS[1], False),
        ({"Action": pikepdf.Name.All}, LOCKS[2], False),
    ],
)
def test_a_lock_that_the_form_brings_along_is_never_replaced(own: dict[str, object], asked: FieldLock, is_taken: bool) -> None:
    lock = pikepdf.Dictionary(Type=pikepdf.Name.SigFieldLock, **own)  # type: ignore[arg-type]
    document = pdfs.with_empty_field(pdfs.report_card(), "GVCN", Lock=lock)
    placement = FieldPlacement("GVCN", field_lock=asked)
    if is_taken:
        judged(pdfs.signed(document, placement, signer=TEACHER, chain=CHAIN))
    else:
        with pytest.raises(InvalidArgument, match="another lock"):
            pdfs.prepared(document, placement)


def test_a_field_that_allows_other_changes_than_asked_for_certifies_nothing() -> None:
    lock = pikepdf.Dictionary(Type=pikepdf.Name.SigFieldLock, Action=pikepdf.Name.All, P=1)
    document = pdfs.with_empty_field(pdfs.report_card(), "GVCN", Lock=lock)
    with pytest.raises(InvalidArgument, match="other changes"):
        pdfs.prepared(document, FieldPlacement("GVCN", doc_mdp=DocMdp.FILL_FORMS))


@both_paths
def test_a_visible_signature_certifies_and_locks_as_well(path: str) -> None:
    placement = looks.visible("GVCN")
    restricting = FieldPlacement("GVCN", appearance=placement.appearance, doc_mdp=DocMdp.FILL_FORMS, field_lock=LOCKS[2])
    artwork = looks.artwork()
    if path == "fast":
        signed = signed_fast(card(), restricting, signer=TEACHER, chain=CHAIN, artwork=artwork)
    else:
        signed = pdfs.signed(card(), restricting, signer=TEACHER, chain=CHAIN, artwork=artwork)
    judged(signed)
    assert PdfFileReader(BytesIO(signed)).embedded_signatures[0].docmdp_level is MDPPerm.FILL_FORMS
