from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from asn1crypto import cms, core, tsp, x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.algorithms import DigestAlgorithm, KeyFamily, Padding, SignatureAlgorithm
from signer.errors import AlgorithmUnsupported, CertificateUnusable
from signer.timestamp.template import TimestampTemplate
from signer.timestamp.tst_info import read_tst_info
from tests.support import pki

POLICY = "2.999.3161.1"
STAMPING = [algorithm for algorithm in SignatureAlgorithm if algorithm.padding is not Padding.PSS]


@dataclass(frozen=True, repr=False)
class Case:
    algorithm: SignatureAlgorithm
    accuracy_ms: int
    ordering: bool
    imprint: bytes
    digest_algorithm: DigestAlgorithm
    serial: int
    gen_time: datetime
    nonce: int | None
    signature: bytes
    with_certificates: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    digest_algorithm = draw(st.sampled_from(DigestAlgorithm))
    return Case(
        algorithm=draw(st.sampled_from(STAMPING)),
        accuracy_ms=draw(st.integers(1, 1000) | st.integers(1, 10_000_000)),
        ordering=draw(st.booleans()),
        imprint=draw(st.binary(min_size=digest_algorithm.size_bytes, max_size=digest_algorithm.size_bytes)),
        digest_algorithm=digest_algorithm,
        serial=draw(st.integers(1, 2**159)),
        gen_time=draw(st.datetimes(datetime(1950, 1, 2), timezones=st.just(UTC))),  # noqa: DTZ001 - hypothesis adds the zone
        nonce=draw(st.none() | st.integers(0, 2**160)),
        signature=draw(st.binary(min_size=64, max_size=512)),
        with_certificates=draw(st.booleans()),
    )


def asn1crypto_tst_info(case: Case) -> tsp.TSTInfo:
    seconds, millis = divmod(case.accuracy_ms, 1000)
    fields = {
        "version": "v1",
        "policy": POLICY,
        "message_imprint": {"hash_algorithm": {"algorithm": case.digest_algorithm.value}, "hashed_message": case.imprint},
        "serial_number": case.serial,
        "gen_time": case.gen_time,
        "accuracy": {name: value for name, value in (("seconds", seconds), ("millis", millis)) if value},
        "ordering": case.ordering,
    }
    if case.nonce is not None:
        fields["nonce"] = case.nonce
    return tsp.TSTInfo(fields)


def asn1crypto_timestamp(case: Case, certificate: bytes, tst_info: tsp.TSTInfo, attributes: bytes) -> bytes:
    digest = {"algorithm": case.algorithm.digest.value}
    parsed = x509.Certificate.load(certificate)
    identifier = cms.IssuerAndSerialNumber({"issuer": parsed.issuer, "serial_number": parsed.serial_number})
    family = "rsa" if case.algorithm.family is KeyFamily.RSA else "ecdsa"
    signer = {
        "version": "v1",
        "sid": cms.SignerIdentifier("issuer_and_serial_number", identifier),
        "digest_algorithm": digest,
        "signed_attrs": cms.CMSAttributes.load(attributes),
        "signature_algorithm": {"algorithm": f"{case.algorithm.digest.value}_{family}"},
        "signature": case.signature,
    }
    embedded = [cms.CertificateChoices("certificate", x509.Certificate.load(encoded)) for encoded in (certificate, pki.authority().der)]
    signed_data = {
        "version": "v3",
        "digest_algorithms": [digest],
        "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(tst_info.dump(force=True))},
        "signer_infos": [cms.SignerInfo(signer)],
    }
    if case.with_certificates:
        signed_data["certificates"] = embedded
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed_data)}).dump())


@settings(deadline=None, max_examples=60)
@given(cases())
def test_der_equals_what_asn1crypto_writes_for_the_same_timestamp(case: Case) -> None:
    issued = pki.tsa(case.algorithm)
    template = TimestampTemplate.build(
        issued.der,
        (pki.authority().der,),
        case.algorithm,
        policy_oid=POLICY,
        accuracy_ms=case.accuracy_ms,
        ordering=case.ordering,
    )
    ours = template.tst_info(case.imprint, case.digest_algorithm, case.serial, case.gen_time, case.nonce)
    theirs = asn1crypto_tst_info(case)
    assert ours == theirs.dump(force=True)

    attributes = template.signed_attributes(ours)
    signed = {attribute["type"].native: attribute["values"][0].native for attribute in cms.CMSAttributes.load(attributes)}
    assert signed["content_type"] == "tst_info"
    assert signed["message_digest"] == hashlib.new(case.algorithm.digest.value, ours).digest()
    timestamp = template.assemble(ours, attributes, case.signature, with_certificates=case.with_certificates)
    assert timestamp == asn1crypto_timestamp(case, issued.der, theirs, attributes)
    if len(case.signature) <= 72:
        assert len(timestamp) <= template.size_max()


@settings(deadline=None)
@given(cases())
def test_what_is_written_reads_back(case: Case) -> None:
    template = TimestampTemplate.build(
        pki.tsa().der, (), SignatureAlgorithm.RSA_PKCS1_SHA256, policy_oid=POLICY, accuracy_ms=case.accuracy_ms, ordering=case.ordering
    )
    read = read_tst_info(template.tst_info(case.imprint, case.digest_algorithm, case.serial, case.gen_time, case.nonce))
    assert (read.policy_oid, read.imprint, read.digest_algorithm) == (POLICY, case.imprint, case.digest_algorithm)
    assert (read.serial_number, read.nonce, read.ordering) == (case.serial, case.nonce, case.ordering)
    assert read.gen_time == case.gen_time
    assert read.accuracy is not None
    assert read.accuracy.total_seconds() * 1000 == pytest.approx(case.accuracy_ms)
    assert not read.critical_extensions


def test_signing_time_is_signed_when_asked_for() -> None:
    template = TimestampTemplate.build(
        pki.tsa().der, (), SignatureAlgorithm.RSA_PKCS1_SHA256, policy_oid=POLICY, accuracy_ms=1000, signing_time=True
    )
    now = datetime(2026, 5, 30, tzinfo=UTC)
    attributes = cms.CMSAttributes.load(template.signed_attributes(b"", now))
    assert {"signing_time": now}.items() <= {a["type"].native: a["values"][0].native for a in attributes}.items()


@pytest.mark.parametrize(
    ("usages", "critical", "complaint"),
    [
        ((), True, "no readable extended key usage"),
        ((ExtendedKeyUsageOID.TIME_STAMPING,), False, "not critical"),
        ((ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING), True, "not timeStamping alone"),
        ((ExtendedKeyUsageOID.CODE_SIGNING,), True, "not timeStamping alone"),
    ],
)
def test_a_certificate_not_for_timestamps_alone_is_refused(
    usages: tuple[x509.ObjectIdentifier, ...], critical: bool, complaint: str
) -> None:
    issued = pki.issue("TSA", pki.rsa_key(), usages=usages, usages_critical=critical)
    with pytest.raises(CertificateUnusable, match=complaint):
        TimestampTemplate.build(issued.der, (), SignatureAlgorithm.RSA_PKCS1_SHA256, policy_oid=POLICY, accuracy_ms=1000)


def test_pss_is_refused_because_openssl_can_not_verify_it_in_timestamps() -> None:
    with pytest.raises(AlgorithmUnsupported, match="RSA-PSS"):
        TimestampTemplate.build(pki.tsa().der, (), SignatureAlgorithm.RSA_PSS_SHA256, policy_oid=POLICY, accuracy_ms=1000)
