"""Raising a signed PDF: laws of the update, for every structure of PDF we meet."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any

import pytest
from asn1crypto.keys import PrivateKeyInfo
from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm, SigFieldSpec, append_signature_field
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentDamaged, DocumentEncrypted, DocumentError
from signer.formats.pades.extend import ValidationData, extend
from signer.formats.pades.update import byte_range_digest, check, splice
from signer.validation.pdf import verify_pdf
from signer.validation.report import Changes, Indication, SignatureKind
from signer.validation.trust import TrustAnchors
from tests.support import cas, pdfs, pki

ROOM = 8192


@cache
def teacher() -> pki.Issued:
    return pki.issue("Teacher (DEMO)", pki.rsa_key(1), pki.authority())


@cache
def data() -> ValidationData:
    responder = cas.responder_of(pki.authority())
    answer = cas.ocsp_answer(teacher().x509, pki.authority(), responder=responder)
    return ValidationData((teacher().der, pki.authority().der, pki.root().der), (answer,), (cas.crl(pki.root()),))


@cache
def signed(variant: str = "classic") -> bytes:
    return pdfs.signed(pdfs.VARIANTS[variant](3), signer=teacher(), chain=(pki.authority(),))


def stamped(document: bytes, added: ValidationData = ValidationData()) -> bytes:  # noqa: B008 - frozen
    """With a document timestamp, as the daemon makes it."""
    made = extend(document, added, contents_bytes=ROOM)
    assert made.hole is not None
    check(len(document), made.hole)
    covered = byte_range_digest(hashlib.sha256(document), document, made.hole, DigestAlgorithm.SHA256)
    whole = document + made.update
    left_out = slice(len(document) + made.hole.contents_offset - 1, len(document) + made.hole.contents_end + 1)
    assert hashlib.sha256(whole[: left_out.start] + whole[left_out.stop :]).digest() == covered
    token = pdfs.timestamp_token(b"", at=datetime.now(UTC), imprint_of=whole[: left_out.start] + whole[left_out.stop :])
    return document + splice(made.hole, token)


def trust() -> TrustAnchors:
    return TrustAnchors((pki.root().der,), (pki.root().der,), (pki.authority().der,))


def stored(document: bytes) -> ValidationData:
    """What the DSS holds."""
    store = DocumentSecurityStore.read_dss(PdfFileReader(BytesIO(document)))
    ocsps, crls = ([reference.get_object().data for reference in references] for references in (store.ocsps, store.crls))
    return ValidationData(tuple(each.dump() for each in store.load_certs()), tuple(ocsps), tuple(crls))


@pytest.mark.parametrize("variant", pdfs.VARIANTS)
def test_whatever_is_added_the_bytes_before_it_stand_and_every_signature_with_them(variant: str) -> None:
    original = signed(variant)
    with_data = original + extend(original, data(), contents_bytes=0).update
    for document in (with_data, stamped(original), stamped(original, data()), stamped(stamped(with_data, data()))):
        assert document.startswith(original)
        report = verify_pdf(document, trust())
        assert report.indication is Indication.TOTAL_PASSED, report
        assert all(one.changes in {Changes.NONE, Changes.SIGNATURES_AND_EVIDENCE} for one in report.signatures), report


def test_the_store_holds_what_was_given_each_once() -> None:
    document = signed() + extend(signed(), data(), contents_bytes=0).update
    found = stored(document)
    assert set(found.certificates) >= set(data().certificates)
    assert len(found.certificates) == len(data().certificates) + 1, "and the responder's, which came with its answer"
    assert (found.ocsps, found.crls) == (data().ocsps, data().crls)


def test_adding_the_same_again_adds_nothing() -> None:
    document = signed() + extend(signed(), data(), contents_bytes=0).update
    assert extend(document, data(), contents_bytes=0).update == b""
    assert extend(document, ValidationData(), contents_bytes=0).update == b""


def test_a_later_addition_keeps_what_an_earlier_one_holds() -> None:
    document = signed() + extend(signed(), data(), contents_bytes=0).update
    newer = ValidationData((), (), (cas.crl(pki.authority()),))
    more = stored(document + extend(document, newer, contents_bytes=0).update)
    assert set(more.crls) == {*data().crls, *newer.crls}
    assert set(more.certificates) >= set(data().certificates)
    assert more.ocsps == data().ocsps


def test_each_timestamp_has_a_field_of_its_own() -> None:
    document = stamped(stamped(signed()))
    report = verify_pdf(document, trust())
    kinds = [one.kind for one in report.signatures]
    assert kinds == [SignatureKind.SIGNATURE, SignatureKind.DOCUMENT_TIMESTAMP, SignatureKind.DOCUMENT_TIMESTAMP]
    assert len({one.name for one in report.signatures}) == 3


def test_the_update_holds_nothing_of_the_documents_metadata() -> None:
    update = extend(signed(), data(), contents_bytes=ROOM).update
    assert pdfs.PUPIL.encode("utf-16-be") not in update
    assert b"/Title" not in update
    assert b"/Author" not in update


def by_others(**how: Any) -> PdfSigner:
    """pyHanko's own signer with the teacher's key."""
    key = PrivateKeyInfo.load(teacher().key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    chain = SimpleCertificateStore.from_certs([Certificate.load(pki.authority().der)])  # type: ignore[no-untyped-call]
    signer = SimpleSigner(signing_cert=Certificate.load(teacher().der), signing_key=key, cert_registry=chain)
    return PdfSigner(PdfSignatureMetadata(field_name="Certified", **how), signer)


def test_a_document_certified_against_every_change_can_be_raised() -> None:
    writer = IncrementalPdfFileWriter(BytesIO(pdfs.report_card(5)))
    lock = FieldMDPSpec(FieldMDPAction.ALL)
    append_signature_field(writer, SigFieldSpec("Certified", field_mdp_spec=lock, doc_mdp_update_value=MDPPerm.NO_CHANGES))
    original = by_others(certify=True, docmdp_permissions=MDPPerm.NO_CHANGES).sign_pdf(writer).getvalue()
    for document in (original + extend(original, data(), contents_bytes=0).update, stamped(stamped(original), data())):
        report = verify_pdf(document, trust())
        assert report.indication is Indication.TOTAL_PASSED, report


def test_what_another_archivist_stored_is_kept_with_its_keys() -> None:
    stream = BytesIO(signed())
    (embedded,) = PdfFileReader(stream).embedded_signatures
    contents = embedded.pkcs7_content.hex().encode("ascii")
    DocumentSecurityStore.add_dss(stream, contents, certs=[Certificate.load(teacher().der)])
    theirs = stream.getvalue()
    document = stamped(theirs, data())
    store = DocumentSecurityStore.read_dss(PdfFileReader(BytesIO(document)))
    assert list(store.vri_entries) == [DocumentSecurityStore.sig_content_identifier(contents)]
    assert set(stored(document).certificates) >= set(data().certificates)
    report = verify_pdf(document, trust())
    assert report.indication is Indication.TOTAL_PASSED, report


@pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
def test_a_truncated_document_is_refused(at: float) -> None:
    with pytest.raises(DocumentDamaged):
        extend(signed()[: int(len(signed()) * at)], data(), contents_bytes=ROOM)


def test_an_encrypted_document_is_refused() -> None:
    with pytest.raises(DocumentEncrypted):
        extend(pdfs.encrypted(pdfs.report_card(), user=""), data(), contents_bytes=ROOM)


@given(st.binary(max_size=400), st.integers(0, 40_000), st.integers(0, 3_000))
def test_any_damage_is_an_update_or_one_of_our_refusals(noise: bytes, at: int, cut: int) -> None:
    document = signed()
    at %= len(document)
    try:
        made = extend(document[:at] + noise + document[at + cut :], data(), contents_bytes=64)
    except DocumentError:
        return
    assert made.hole is not None
