"""What a signed PDF lacks: found for honest documents, refused for dishonest ones, within bounds for hostile ones."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from signer.errors import (
    CertificateRevoked,
    DocumentTooCostly,
    DocumentUnsigned,
    SignerError,
    VerificationFailed,
)
from signer.formats.pades.extend import ValidationData, extend
from signer.formats.pades.update import splice
from signer.model import Level
from signer.validation.document import verify_document
from signer.validation.long_term import Examination, examine
from signer.validation.report import SignatureKind
from signer.validation.trust import TrustAnchors
from tests.support import cas, pdfs, pki

NOW = datetime.now(UTC).replace(microsecond=0)
EARLIER = NOW - timedelta(days=400)


@cache
def teacher() -> pki.Issued:
    return pki.issue("Teacher (DEMO)", pki.rsa_key(1), pki.authority())


def trust() -> TrustAnchors:
    return TrustAnchors((pki.root().der,), (pki.root().der,), (pki.authority().der,))


def signed(at: datetime | None = NOW, signer: pki.Issued | None = None, document: bytes | None = None) -> bytes:
    """Timestamped at a moment; None: without."""

    def token(signature: bytes) -> bytes:
        return pdfs.timestamp_token(signature, at=at or NOW)

    return pdfs.signed(
        document or pdfs.report_card(1, pages=1),
        signer=signer or teacher(),
        chain=(pki.authority(),),
        timestamp=token if at else None,
    )


def with_data(document: bytes, **data: tuple[bytes, ...]) -> bytes:
    return document + extend(document, ValidationData(**data), contents_bytes=0).update


def complete(document: bytes, at: datetime = NOW, *, revoked: tuple[int, ...] = ()) -> bytes:
    """With the status of everybody on both chains, as of a moment."""
    crls = (cas.crl(pki.root(), at=at), cas.crl(pki.authority(), revoked, at=at))
    return with_data(document, certificates=(teacher().der, pki.authority().der, pki.tsa().der), crls=crls)


def stamped(document: bytes) -> bytes:
    """With a document timestamp over all of it."""
    made = extend(document, ValidationData(), contents_bytes=8192)
    assert made.hole is not None
    whole, hole = document + made.update, made.hole
    covered = whole[: len(document) + hole.contents_offset - 1] + whole[len(document) + hole.contents_end + 1 :]
    return document + splice(hole, pdfs.timestamp_token(b"", at=NOW, imprint_of=covered))


def look(document: bytes, now: datetime = NOW) -> Examination:
    return examine(document, trust(), now, with_chains=True)


def test_a_fresh_signature_lacks_its_time_and_everybodys_status() -> None:
    found = look(signed(None))
    assert (found.lacks_timestamp, found.is_complete) == (True, False)
    (chain,) = found.chains
    assert chain.path.certificates == (teacher().x509, pki.authority().x509, pki.root().x509)
    assert (chain.at, chain.is_timestamp, chain.covered) == (NOW, False, (False, False))


def test_a_timestamp_gives_a_signature_its_time_and_has_a_chain_itself() -> None:
    found = look(signed(EARLIER))
    assert not found.lacks_timestamp
    assert [(chain.is_timestamp, chain.at) for chain in found.chains] == [(False, EARLIER), (True, EARLIER)]


def test_what_the_store_holds_is_found_and_completes_the_document() -> None:
    assert look(complete(signed())).is_complete
    partly = look(with_data(signed(), crls=(cas.crl(pki.root(), at=NOW),)))
    assert [chain.covered for chain in partly.chains] == [(False, True), (False, True)]
    assert not partly.is_complete


def test_without_chains_nothing_but_the_time_is_looked_for() -> None:
    found = examine(signed(None), trust(), NOW, with_chains=False)
    assert (found.lacks_timestamp, found.chains, found.is_complete) == (True, (), False)


def test_an_answer_from_before_the_signature_does_not_count_one_from_after_does() -> None:
    assert not look(complete(signed(), NOW - timedelta(days=30))).is_complete
    assert look(complete(signed(EARLIER), EARLIER + timedelta(days=1))).is_complete


def test_status_is_not_asked_again_years_later() -> None:
    archived = complete(signed(EARLIER), EARLIER)
    assert look(archived, NOW + timedelta(days=2000)).is_complete


def test_a_signer_whose_certificate_has_expired_since_has_its_path_of_then() -> None:
    expired = pki.issue("Retired (DEMO)", pki.rsa_key(1), pki.authority(), not_after=NOW - timedelta(days=100))
    assert look(signed(EARLIER, expired)).chains[0].at == EARLIER
    with pytest.raises(VerificationFailed, match="no chain"):
        look(signed(None, expired))


def test_a_timestamp_of_an_authority_that_is_not_believed_proves_no_time() -> None:
    nobody = TrustAnchors((pki.root().der,), (), (pki.authority().der,))
    assert examine(signed(), nobody, NOW, with_chains=False).lacks_timestamp
    assert not examine(signed(), trust(), NOW, with_chains=False).lacks_timestamp
    with pytest.raises(VerificationFailed, match="no chain"):
        examine(signed(), nobody, NOW, with_chains=True)


def test_verification_tells_the_level_that_is_reached() -> None:
    def level(document: bytes) -> list[Level | None]:
        report = verify_document(document, trust(), NOW).report
        return [one.level for one in report.signatures if one.kind is SignatureKind.SIGNATURE]

    archived = complete(signed())
    assert level(signed(None)) == [Level.B_B]
    assert level(signed()) == [Level.B_T]
    assert level(with_data(signed(), crls=(cas.crl(pki.root(), at=NOW),))) == [Level.B_T], "half of the data"
    assert level(archived) == [Level.B_LT]
    assert level(stamped(archived)) == [Level.B_LTA]
    assert level(stamped(signed())) == [Level.B_T], "a document timestamp over no validation data"


def _other_imprint() -> bytes:
    return pdfs.signed(
        pdfs.report_card(1, pages=1),
        signer=teacher(),
        chain=(pki.authority(),),
        timestamp=lambda signature: pdfs.timestamp_token(signature, at=NOW, imprint_of=b"something else"),
    )


def _tampered() -> bytes:
    document = signed()
    at = document.index(b"stream") + 20
    return document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]


def _stranger() -> bytes:
    issuer = pki.issue("Stranger CA", pki.rsa_key(130), is_ca=True)
    return pdfs.signed(pdfs.report_card(1, pages=1), signer=pki.issue("x", pki.rsa_key(1), issuer), chain=(issuer,))


REFUSED: dict[str, tuple[type[SignerError], Callable[[], bytes]]] = {
    "unsigned": (DocumentUnsigned, lambda: pdfs.report_card(1, pages=1)),
    "a changed byte": (VerificationFailed, _tampered),
    "a timestamp over something else": (VerificationFailed, _other_imprint),
    "nobody's signer": (VerificationFailed, _stranger),
    "revoked, by its own store": (CertificateRevoked, lambda: complete(signed(), revoked=(teacher().x509.serial_number,))),
}


@pytest.mark.parametrize(("kind", "make"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_worth_keeping_is_refused(kind: type[SignerError], make: Callable[[], bytes]) -> None:
    with pytest.raises(kind):
        look(make())


def test_a_stranger_cannot_complete_a_document_with_answers_of_its_own() -> None:
    forged = cas.crl(pki.authority(), at=NOW, key=pki.rsa_key(130))
    assert not look(with_data(signed(), crls=(forged, cas.crl(pki.root(), at=NOW)))).is_complete


def _with_store(document: bytes, key: str, *streams: bytes) -> bytes:
    """A DSS as a stranger may write it; the streams come compressed."""
    writer = IncrementalPdfFileWriter(BytesIO(document))
    kept = []
    for stream in streams:
        dictionary = {pdf_name("/Filter"): pdf_name("/FlateDecode")}
        kept.append(writer.add_object(generic.StreamObject(dictionary, encoded_data=zlib.compress(stream, 1))))
    entries = {pdf_name("/Type"): pdf_name("/DSS"), pdf_name(key): generic.ArrayObject(kept)}
    store = generic.DictionaryObject(entries)  # type: ignore[no-untyped-call]  # pyHanko is annotated in part
    writer.root[pdf_name("/DSS")] = writer.add_object(store)
    writer.update_root()  # type: ignore[no-untyped-call]
    out = BytesIO()
    writer.write(out)  # type: ignore[no-untyped-call]
    return out.getvalue()


@pytest.mark.parametrize("key", ["/OCSPs", "/CRLs", "/Certs"])
def test_a_store_that_unpacks_to_too_much_is_refused(key: str) -> None:
    with pytest.raises(DocumentTooCostly):
        look(_with_store(signed(), key, bytes(64 << 20)))


def test_a_store_with_very_many_answers_is_refused() -> None:
    answer = cas.ocsp_answer(teacher().x509, pki.authority(), at=NOW)
    with pytest.raises(DocumentTooCostly):
        look(_with_store(signed(), "/OCSPs", *[answer] * 300))


@cache
def _archived() -> bytes:
    return complete(signed())


@given(st.binary(max_size=300), st.integers(0, 60_000), st.integers(0, 2_000))
def test_any_damage_is_examined_or_refused_with_a_reason(noise: bytes, at: int, cut: int) -> None:
    document = _archived()
    at %= len(document)
    try:
        found = look(document[:at] + noise + document[at + cut :])
    except SignerError:
        return
    assert found.chains
