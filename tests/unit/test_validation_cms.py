"""Verification of CMS: ours and OpenSSL's judgement on the same bytes, timestamps, content that is missing or another's, and rubbish."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import cms as asn1_cms
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from signer.algorithms import SignatureAlgorithm
from signer.errors import DocumentError, DocumentUnsupported, InvalidArgument
from signer.model import Level, Profile
from signer.validation.cms import SIGNERS_MAX, verify_cms
from signer.validation.report import Indication, SignatureReport
from signer.validation.trust import TrustAnchors
from tests.support import cms, pki

ROOT = pki.root()
TRUST = TrustAnchors((ROOT.der,), (ROOT.der,), (pki.authority().der,))
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority())
PRINCIPAL = pki.issue("Nguyễn Thị Hiệu", pki.ec_key(3), pki.authority())
SHORT_LIVED = pki.issue("Lê Hết Hạn", pki.rsa_key(2), pki.authority(), not_after=datetime.now(UTC) + timedelta(days=30))
CONTENT = "Điểm tổng kết: 10\n".encode() * 100
NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(days=60)
PASSED = (Indication.TOTAL_PASSED, "")


def verdicts(encoded: bytes, content: bytes | None = None, at: datetime = NOW) -> list[tuple[Indication, str]]:
    return [(each.indication, each.sub_indication) for each in verify_cms(encoded, TRUST, at, content).signatures]


def only(encoded: bytes, content: bytes | None = None, at: datetime = NOW) -> SignatureReport:
    [signature] = verify_cms(encoded, TRUST, at, content).signatures
    return signature


@pytest.mark.parametrize("attached", [False, True])
@pytest.mark.parametrize("signer", [TEACHER, PRINCIPAL], ids=["rsa", "ec"])
def test_openssl_and_we_accept_the_same_signature_and_refuse_the_same_changes(attached: bool, signer: pki.Issued) -> None:
    encoded = cms.signed(CONTENT, signer, attached=attached, chain=(pki.authority(),))
    content = None if attached else CONTENT
    assert cms.accepted(encoded, content, ROOT, pki.authority())
    assert verdicts(encoded, content) == [PASSED]
    if attached:
        changed = encoded.replace("kết: 10".encode(), "kết: 11".encode(), 1)
        assert not cms.accepted(changed, None, ROOT, pki.authority())
        assert verdicts(changed) == [(Indication.TOTAL_FAILED, "HASH_FAILURE")]
    else:
        changed = CONTENT.replace(b"10", b"11", 1)
        assert not cms.accepted(encoded, changed, ROOT, pki.authority())
        assert verdicts(encoded, changed) == [(Indication.TOTAL_FAILED, "HASH_FAILURE")]


def test_every_fact_of_a_cades_signature_is_told() -> None:
    found = only(cms.signed(CONTENT, TEACHER, chain=(pki.authority(),)), CONTENT)
    assert (found.name, found.profile, found.level) == ("0", Profile.CADES, Level.B_B)
    assert found.algorithm is SignatureAlgorithm.RSA_PKCS1_SHA256
    assert found.signer.startswith("CN=Trần Văn Giáo,")
    assert [name.split(",")[0] for name in found.chain][-1] == "CN=Root G2 (DEMO)"
    assert (found.intact, found.trusted, found.problems, found.certificate) == (True, True, (), TEACHER.der)
    assert found.claimed_time is not None
    assert only(cms.signed(CONTENT, PRINCIPAL), CONTENT).algorithm is SignatureAlgorithm.ECDSA_SHA256


def test_a_plain_cms_passes_without_a_level() -> None:
    found = only(cms.signed(CONTENT, TEACHER, cades=False), CONTENT)
    assert (found.indication, found.level, found.profile) == (Indication.TOTAL_PASSED, None, None)


def test_each_signer_is_judged_by_itself() -> None:
    stranger = pki.issue("Stranger", pki.rsa_key(4), pki.issue("Other root", pki.rsa_key(5), is_ca=True))
    encoded = cms.signed(CONTENT, TEACHER, stranger, PRINCIPAL, attached=True)
    report = verify_cms(encoded, TRUST, NOW)
    by_name = {each.signer.split(",")[0]: each.sub_indication for each in report.signatures}
    assert by_name == {"CN=Trần Văn Giáo": "", "CN=Stranger": "NO_CERTIFICATE_CHAIN_FOUND", "CN=Nguyễn Thị Hiệu": ""}
    assert [each.name for each in report.signatures] == ["0", "1", "2"]
    assert report.indication is Indication.INDETERMINATE


def test_a_timestamp_raises_the_level_and_outlives_the_certificate() -> None:
    plain = cms.signed(CONTENT, SHORT_LIVED)
    stamped = cms.stamped(plain, NOW)
    assert verdicts(plain, CONTENT, LATER) == [(Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE")]
    found = only(stamped, CONTENT, LATER)
    assert (found.indication, found.level, found.proven_time) == (
        Indication.TOTAL_PASSED,
        Level.B_T,
        NOW.replace(microsecond=NOW.microsecond),
    )
    assert found.timestamp is not None
    assert (found.timestamp.valid, found.timestamp.policy_oid) == (True, "1.3.6.1.4.1.99999.1")
    other = only(cms.stamped(plain, NOW, imprint_of=b"something else"), CONTENT, LATER)
    assert (other.level, other.sub_indication) == (Level.B_B, "OUT_OF_BOUNDS_NO_POE")


def test_a_removed_timestamp_lowers_the_level() -> None:
    assert only(cms.stamped(cms.signed(CONTENT, TEACHER), NOW), CONTENT).level is Level.B_T
    assert only(cms.signed(CONTENT, TEACHER), CONTENT).level is Level.B_B


def test_a_signature_by_another_key_than_its_certificates_fails() -> None:
    encoded = cms.signed(CONTENT, pki.Issued(TEACHER.x509, TEACHER.key))
    other = cms.signed(CONTENT, pki.issue("Trần Văn Giáo", pki.rsa_key(9), pki.authority()))
    info, lent = asn1_cms.ContentInfo.load(encoded), asn1_cms.ContentInfo.load(other)
    info["content"]["signer_infos"][0]["signature"] = lent["content"]["signer_infos"][0]["signature"].native
    forged = info.dump()
    assert not cms.accepted(forged, CONTENT, ROOT, pki.authority())
    assert verdicts(forged, CONTENT) == [(Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE")]


def test_without_the_content_nothing_is_said_but_who_signed() -> None:
    found = only(cms.signed(CONTENT, TEACHER))
    assert (found.indication, found.sub_indication) == (Indication.INDETERMINATE, "SIGNED_DATA_NOT_FOUND")
    assert (found.intact, found.trusted, found.chain) == (False, False, ())
    assert "Trần Văn Giáo" in found.signer


def test_other_content_than_the_attached_is_never_passed_off_as_signed() -> None:
    encoded = cms.signed(CONTENT, TEACHER, attached=True)
    assert verdicts(encoded, CONTENT) == [PASSED]
    assert verdicts(encoded, b"other") == [(Indication.TOTAL_FAILED, "HASH_FAILURE")]


def test_pem_is_read_as_well() -> None:
    body = base64.encodebytes(cms.signed(CONTENT, TEACHER))
    assert verdicts(b"-----BEGIN CMS-----\n" + body + b"-----END CMS-----\n", CONTENT) == [PASSED]


def test_no_signature_is_told_as_such() -> None:
    info = asn1_cms.ContentInfo.load(cms.signed(CONTENT, TEACHER))
    info["content"]["signer_infos"] = asn1_cms.SignerInfos([])
    report = verify_cms(info.dump(), TRUST, NOW, CONTENT)
    assert (report.signatures, report.problems, report.indication) == ((), ("the document is not signed",), Indication.INDETERMINATE)


def test_a_certificate_for_other_things_signs_no_documents() -> None:
    server = pki.issue("Máy chủ", pki.rsa_key(4), pki.authority(), usages=(x509.oid.ExtendedKeyUsageOID.SERVER_AUTH,))
    assert verdicts(cms.signed(CONTENT, server), CONTENT) == [(Indication.INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE")]


def test_too_many_signers_and_other_content_types_are_refused() -> None:
    info = asn1_cms.ContentInfo.load(cms.signed(CONTENT, TEACHER))
    one = info["content"]["signer_infos"][0]
    info["content"]["signer_infos"] = asn1_cms.SignerInfos([one] * (SIGNERS_MAX + 1))
    with pytest.raises(DocumentError):
        verify_cms(info.dump(), TRUST, NOW, CONTENT)
    with pytest.raises(DocumentUnsupported):
        verify_cms(asn1_cms.ContentInfo({"content_type": "data", "content": b"x"}).dump(), TRUST, NOW)
    with pytest.raises(InvalidArgument):
        verify_cms(cms.signed(CONTENT, TEACHER), TRUST, datetime(2026, 5, 30))  # noqa: DTZ001


SAMPLE = cms.stamped(cms.signed(CONTENT[:40], TEACHER, attached=True), NOW)


@given(st.integers(0, len(SAMPLE) - 1), st.binary(min_size=1, max_size=8))
def test_any_change_ends_in_a_report_or_a_typed_error(place: int, other: bytes) -> None:
    changed = SAMPLE[:place] + other + SAMPLE[place + len(other) :]
    try:
        report = verify_cms(changed, TRUST, NOW)
    except DocumentError:
        return
    for each in report.signatures:
        assert not (each.indication is Indication.TOTAL_PASSED and CONTENT[:40] not in changed)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_report_or_a_typed_error(junk: bytes) -> None:
    with pytest.raises(DocumentError):
        verify_cms(junk, TRUST, NOW)


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_nesting_ends_in_a_typed_error(depth: int) -> None:
    with pytest.raises(DocumentError):
        verify_cms(b"\x30\x80" * depth, TRUST, NOW)
