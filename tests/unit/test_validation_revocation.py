"""What revocation does to a verdict: proofs of time, revoked CAs and authorities, answers in the document, CAs that do not tell."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.x509 import ocsp

from signer.formats.pades.extend import ValidationData, extend
from signer.formats.pades.update import splice
from signer.model import Level
from signer.validation.document import Verified, verify_document
from signer.validation.report import DocumentReport, Indication, RevocationReport, RevocationStatus, SignatureReport
from signer.validation.revocation import Key, KnownStatus, questions, settle
from signer.validation.trust import TrustAnchors
from tests.support import cas, cms, pdfs, pki, xmls

ROOT = pki.root()
TRUST = TrustAnchors((ROOT.der,), (ROOT.der,), (pki.authority().der,))
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority())
SHORT_LIVED = pki.issue("Lê Hết Hạn", pki.rsa_key(2), pki.authority(), not_after=pdfs.SIGNED_AT + timedelta(days=30))
CARD = pdfs.report_card(pages=1)
SIGNED_AT = pdfs.SIGNED_AT
NOW = SIGNED_AT + timedelta(days=10)
AFTER_EXPIRY = SIGNED_AT + timedelta(days=60)
STAMP = functools.partial(pdfs.timestamp_token, at=SIGNED_AT)
PLAIN = pdfs.signed(CARD, signer=TEACHER, chain=(pki.authority(),))
STAMPED = pdfs.signed(CARD, signer=TEACHER, chain=(pki.authority(),), timestamp=STAMP)
GOOD = KnownStatus(RevocationReport(RevocationStatus.GOOD), was_asked=True)
SILENT = KnownStatus(RevocationReport(RevocationStatus.UNKNOWN), was_asked=True)
PASSED = (Indication.TOTAL_PASSED, "")


def revoked_at(when: datetime) -> KnownStatus:
    return KnownStatus(RevocationReport(RevocationStatus.REVOKED, when), was_asked=True)


def judged(document: bytes, statuses: dict[pki.Issued, KnownStatus], at: datetime = NOW) -> SignatureReport:
    """All certificates are good but those named."""
    verified = verify_document(document, TRUST, at)
    known: dict[Key, KnownStatus] = dict.fromkeys(questions(verified.report), GOOD)
    for key, (question, _moment) in questions(verified.report).items():
        known[key] = next((status for issued, status in statuses.items() if issued.x509 == question.certificate), known[key])
    [signature] = settle(verified.report, known, at).signatures
    return signature


def verdict(signature: SignatureReport) -> tuple[Indication, str]:
    return signature.indication, signature.sub_indication


def test_everybody_in_order_passes_and_says_so() -> None:
    found = judged(STAMPED, {})
    assert verdict(found) == PASSED
    assert found.revocation is not None
    assert found.revocation.status is RevocationStatus.GOOD


@pytest.mark.parametrize(
    ("document", "days", "expected"),
    [
        (STAMPED, 1, PASSED),
        (STAMPED, -1, (Indication.INDETERMINATE, "REVOKED_NO_POE")),
        (PLAIN, 1, (Indication.INDETERMINATE, "REVOKED_NO_POE")),
        (PLAIN, -1, (Indication.INDETERMINATE, "REVOKED_NO_POE")),
    ],
    ids=["stamped before", "stamped after", "unproven, claims before", "unproven, claims after"],
)
def test_a_signature_proven_to_be_older_than_the_revocation_stands_and_no_other(
    document: bytes, days: int, expected: tuple[Indication, str]
) -> None:
    found = judged(document, {TEACHER: revoked_at(SIGNED_AT + timedelta(days=days))})
    assert verdict(found) == expected
    assert found.revocation is not None
    assert found.revocation.status is RevocationStatus.REVOKED
    assert any("revoked at" in problem for problem in found.problems)


def test_the_same_holds_for_cms() -> None:
    content = b"content"
    encoded = cms.signed(content, TEACHER)
    for document, expected in ((encoded, "REVOKED_NO_POE"), (cms.stamped(encoded, SIGNED_AT), "")):
        verified = verify_document(document, TRUST, NOW, content=content)
        known = {
            key: revoked_at(NOW - timedelta(days=1)) if question.certificate == TEACHER.x509 else GOOD
            for key, (question, _moment) in questions(verified.report).items()
        }
        [signature] = settle(verified.report, known, NOW).signatures
        assert signature.sub_indication == expected


def test_a_revoked_ca_is_told_apart_from_a_revoked_signer() -> None:
    assert verdict(judged(PLAIN, {pki.authority(): revoked_at(SIGNED_AT)})) == (Indication.INDETERMINATE, "REVOKED_CA_NO_POE")


def test_a_revoked_time_stamping_authority_proves_nothing() -> None:
    found = judged(STAMPED, {pki.tsa(): revoked_at(NOW), TEACHER: revoked_at(NOW)})
    assert verdict(found) == (Indication.INDETERMINATE, "REVOKED_NO_POE")
    assert (found.level, found.proven_time) == (Level.B_B, None)
    alone = judged(STAMPED, {pki.tsa(): revoked_at(NOW)})
    assert (verdict(alone), alone.level) == (PASSED, Level.B_B), "the signer is in order without it"
    expired = pdfs.signed(CARD, signer=SHORT_LIVED, chain=(pki.authority(),), timestamp=STAMP)
    assert verdict(judged(expired, {}, AFTER_EXPIRY)) == PASSED
    assert verdict(judged(expired, {pki.tsa(): revoked_at(NOW)}, AFTER_EXPIRY)) == (Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE")


def test_cas_that_do_not_tell_leave_it_open_and_nobody_asked_leaves_it_said() -> None:
    found = judged(STAMPED, {TEACHER: SILENT})
    assert verdict(found) == (Indication.INDETERMINATE, "TRY_LATER")
    [offline] = settled(verify_document(STAMPED, TRUST, NOW)).signatures
    assert verdict(offline) == PASSED
    assert offline.revocation is not None
    assert offline.revocation.status is RevocationStatus.UNKNOWN


def settled(verified: Verified) -> DocumentReport:
    return verified.settled(NOW)


def with_answers(document: bytes, *ocsps: bytes, crls: tuple[bytes, ...] = ()) -> bytes:
    return document + extend(document, ValidationData((), ocsps, crls), contents_bytes=0).update


def answer(issued: pki.Issued, issuer: pki.Issued, status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD) -> bytes:
    return cas.ocsp_answer(issued.x509, issuer, status=status, at=SIGNED_AT + timedelta(minutes=1), good_for=timedelta(days=30))


def test_answers_in_the_document_count_as_a_cas_own() -> None:
    own = (answer(TEACHER, pki.authority()), answer(pki.tsa(), pki.authority()), answer(pki.authority(), ROOT))
    [found] = verify_document(with_answers(STAMPED, *own), TRUST, NOW).settled(NOW).signatures
    assert found.revocation is not None
    assert (found.revocation.status, found.revocation.source) == (RevocationStatus.GOOD, "embedded")
    crls = tuple(cas.crl(each, at=SIGNED_AT + timedelta(minutes=1), days=30) for each in (pki.authority(), ROOT))
    [by_crl] = verify_document(with_answers(STAMPED, crls=crls), TRUST, NOW).settled(NOW).signatures
    assert by_crl.revocation is not None
    assert by_crl.revocation.status is RevocationStatus.GOOD


def test_an_answer_in_the_document_that_says_revoked_is_heard() -> None:
    said = answer(TEACHER, pki.authority(), ocsp.OCSPCertStatus.REVOKED)
    [stamped] = verify_document(with_answers(STAMPED, said), TRUST, NOW).settled(NOW).signatures
    assert verdict(stamped) == PASSED, "stamped a minute before"
    [plain] = verify_document(with_answers(PLAIN, said), TRUST, NOW).settled(NOW).signatures
    assert verdict(plain) == (Indication.INDETERMINATE, "REVOKED_NO_POE")


def test_a_forged_answer_in_the_document_is_not_believed() -> None:
    stranger = pki.issue("Stranger", pki.rsa_key(4), is_ca=True)
    forged = cas.ocsp_answer(TEACHER.x509, pki.authority(), responder=stranger, at=SIGNED_AT, good_for=timedelta(days=30))
    [found] = verify_document(with_answers(STAMPED, forged), TRUST, NOW).settled(NOW).signatures
    assert found.revocation is not None
    assert found.revocation.status is RevocationStatus.UNKNOWN


def sealed_at(document: bytes, at: datetime) -> bytes:
    """With a document timestamp over all of it."""
    made = extend(document, ValidationData(), contents_bytes=20_000)
    assert made.hole is not None
    whole, hole = document + made.update, made.hole
    start, end = len(document) + hole.contents_offset - 1, len(document) + hole.contents_end + 1
    return document + splice(hole, pdfs.timestamp_token(b"", at=at, imprint_of=whole[:start] + whole[end:]))


def test_a_document_timestamp_proves_the_time_of_what_it_covers() -> None:
    """PLAIN has no timestamp of its own; a document timestamp after it is as good."""
    expired = pdfs.signed(CARD, signer=SHORT_LIVED, chain=(pki.authority(),))
    sealed = sealed_at(expired, SIGNED_AT)
    signature, stamp = verify_document(sealed, TRUST, AFTER_EXPIRY).settled(AFTER_EXPIRY).signatures
    assert (verdict(signature), signature.proven_time) == (PASSED, SIGNED_AT.astimezone(UTC))
    assert verdict(stamp) == PASSED


def test_a_document_timestamp_of_a_revoked_authority_proves_nothing_for_what_it_covers() -> None:
    sealed = sealed_at(PLAIN, SIGNED_AT)
    verified = verify_document(sealed, TRUST, NOW)
    for issued, expected in ((None, PASSED), (pki.tsa(), (Indication.INDETERMINATE, "REVOKED_NO_POE"))):
        statuses = {TEACHER.x509: revoked_at(SIGNED_AT + timedelta(days=1))}
        if issued is not None:
            statuses[issued.x509] = revoked_at(SIGNED_AT - timedelta(days=1))
        known = {key: statuses.get(question.certificate, GOOD) for key, (question, _moment) in questions(verified.report).items()}
        signature, stamp = settle(verified.report, known, NOW).signatures
        assert verdict(signature) == expected
        assert (signature.proven_time is None, verdict(stamp) == PASSED) == (issued is not None, issued is None)


def test_the_same_holds_for_xml() -> None:
    by = xmls.signer()
    for stamp, expected in ((None, "REVOKED_NO_POE"), (STAMP, "")):
        document = xmls.enveloped(b"<a><b>10</b></a>", by, stamp=stamp)
        assert verdict(judged(document, {})) == PASSED
        assert judged(document, {by.issued: revoked_at(SIGNED_AT + timedelta(days=1))}).sub_indication == expected
