"""Any bytes at archiving's doors: answers of CAs, certificates with addresses, signed PDFs. Judged, or one of our refusals; nothing else.

SIGNER_FUZZ_EXAMPLES: examples a test, for long runs.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer.errors import CertificateRevoked, SignerError
from signer.formats.pades.extend import ValidationData, extend
from signer.formats.status import crl, ocsp
from signer.formats.status.answer import AnswerRefused, Terms
from signer.formats.status.question import Question
from signer.validation.long_term import examine
from signer.validation.trust import TrustAnchors
from tests.support import cas, pdfs, pki

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "100"))
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
NOW = datetime.now(UTC)
TERMS = Terms(at=NOW, now=NOW)
TEACHER = pki.issue("fuzz", pki.rsa_key(1), pki.authority(), extensions=cas.places("http://ocsp.example/", "http://ca.example/a.crl"))
QUESTION = Question(TEACHER.x509, pki.authority().x509)
RESPONDER = cas.responder_of(pki.authority())
ANSWER = cas.ocsp_answer(TEACHER.x509, pki.authority(), responder=RESPONDER)
LIST = cas.crl(pki.authority(), (TEACHER.x509.serial_number, 7))
ARCHIVED = pdfs.signed(pdfs.report_card(pages=1), signer=TEACHER, chain=(pki.authority(),))
ARCHIVED += extend(ARCHIVED, ValidationData((TEACHER.der, pki.authority().der), (ANSWER,), (LIST,)), contents_bytes=0).update
TRUST = TrustAnchors(signing=(pki.root().der,), timestamping=(pki.root().der,))


@st.composite
def spoiled(draw: st.DrawFn, seed: bytes) -> bytes:
    """The seed with bytes changed, cut, doubled."""
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(0, len(seed) - 1)))
        new, gone = draw(st.binary(max_size=4)), draw(st.integers(0, 4))
        seed = seed[:at] + new + seed[at + gone :]
    return seed


@fuzz
@given(st.one_of(spoiled(ANSWER), st.binary(max_size=200)))
def test_any_bytes_as_ocsp_answer(encoded: bytes) -> None:
    try:
        judged = ocsp.judge(encoded, QUESTION, TERMS)
    except (AnswerRefused, CertificateRevoked):
        return
    assert judged.good_until > NOW


@fuzz
@given(st.one_of(spoiled(LIST), st.binary(max_size=200)))
def test_any_bytes_as_crl(encoded: bytes) -> None:
    try:
        crl.judge(crl.Crl.read(encoded), QUESTION, TERMS)
    except (AnswerRefused, CertificateRevoked):
        return
    raise AssertionError("the teacher is on the list")


@fuzz
@given(spoiled(TEACHER.der))
def test_any_certificate_names_addresses_or_none(encoded: bytes) -> None:
    try:
        certificate = x509.load_der_x509_certificate(encoded)
    except ValueError:
        return
    question = Question(certificate, pki.authority().x509)
    assert all(url.startswith("http://") for url in (*question.ocsp_urls, *question.crl_urls))


@fuzz
@given(spoiled(ARCHIVED))
def test_any_archived_document(document: bytes) -> None:
    try:
        examine(document, TRUST, NOW, with_chains=True)
    except SignerError:
        return
