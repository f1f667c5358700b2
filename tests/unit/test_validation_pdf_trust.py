"""Whom verification believes: anchors, intermediates, times, SHA-1; and that it asks neither the network nor the machine's store."""

from __future__ import annotations

import functools
import logging
import socket
from datetime import UTC, datetime, timedelta
from logging.handlers import QueueHandler
from queue import SimpleQueue

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from signer.errors import (
    ConfigError,
)
from signer.model import Level
from signer.validation.pdf import verify_pdf
from signer.validation.report import DocumentReport, Indication, SignatureReport
from signer.validation.trust import TrustAnchors
from tests.support import pdfs, pki
from tests.support.sha1 import sha1_signed

ROOT = pki.root().der
TRUST = TrustAnchors(signing=(ROOT,), timestamping=(ROOT,))
CHAIN = (pki.authority(),)
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority(), serial_number=0xABC123)
SHORT_LIVED = pki.issue("Lê Thị Hiệu Trưởng", pki.rsa_key(2), pki.authority(), not_after=datetime(2026, 12, 31, tzinfo=UTC))
CARD = pdfs.report_card(pages=1, compress=False)
LATER = pdfs.SIGNED_AT + timedelta(days=1)
AFTER_EXPIRY = datetime(2028, 1, 1, tzinfo=UTC)
STAMP = functools.partial(pdfs.timestamp_token, at=pdfs.SIGNED_AT)
sign = functools.partial(pdfs.signed, signer=TEACHER, chain=CHAIN)


def only(report: DocumentReport) -> SignatureReport:
    assert len(report.signatures) == 1
    return report.signatures[0]


def verdict(signature: SignatureReport) -> tuple[Indication, str]:
    return signature.indication, signature.sub_indication


def test_a_signer_of_another_root_is_not_trusted() -> None:
    other_root = pki.issue("Other root", pki.rsa_key(5), is_ca=True)
    stranger = pki.issue("Stranger", pki.rsa_key(4), other_root)
    found = only(verify_pdf(sign(CARD, signer=stranger, chain=(other_root,)), TRUST, LATER))
    assert verdict(found) == (Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")
    assert (found.intact, found.trusted, found.chain) == (True, False, ())


def test_a_self_signed_signer_is_not_trusted() -> None:
    found = only(verify_pdf(sign(CARD, signer=pki.issue("Stranger", pki.rsa_key(4)), chain=()), TRUST, LATER))
    assert (found.indication, found.intact, found.trusted) == (Indication.INDETERMINATE, True, False)


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


def test_an_anchor_that_is_no_certificate_is_the_configurations_fault() -> None:
    with pytest.raises(ConfigError):
        TrustAnchors((b"nonsense",), ())


def test_a_parser_logs_nothing_of_a_document() -> None:
    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    handler = QueueHandler(queue)
    logging.getLogger().addHandler(handler)
    try:
        verify_pdf(sign(CARD, signer=SHORT_LIVED), TRUST, AFTER_EXPIRY)
    finally:
        logging.getLogger().removeHandler(handler)
    assert queue.empty()


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
    access = [x509.AccessDescription(oid, url) for oid in (AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS)]
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
