from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
from asn1crypto import cms, core, tsp, x509
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from signer.algorithms import KeyFamily, Padding, SignatureAlgorithm
from signer.errors import AlgorithmUnsupported, CertificateUnusable, InternalError
from signer.formats.cms.identifiers import ID_DATA
from signer.formats.cms.template import CmsTemplate
from tests.support import pki

ALGORITHMS = st.sampled_from(list(SignatureAlgorithm))
CONTENT = b"h\xe1\xbb\x8dc b\xe1\xba\xa1"


def asn1crypto_signature_algorithm(algorithm: SignatureAlgorithm) -> dict[str, object]:
    digest = algorithm.digest.value
    if algorithm.padding is Padding.PSS:
        hashed = {"algorithm": digest}
        parameters = {
            "hash_algorithm": hashed,
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": hashed},
            "salt_length": algorithm.digest.size_bytes,
        }
        return {"algorithm": "rsassa_pss", "parameters": parameters}
    return {"algorithm": f"{digest}_{'rsa' if algorithm.family is KeyFamily.RSA else 'ecdsa'}"}


class ContentHints(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """RFC 2634 §2.9."""

    _fields: ClassVar = [("content_description", core.UTF8String, {"optional": True}), ("content_type", cms.ContentType)]


@dataclass(frozen=True, repr=False)
class Case:
    """One signature: what goes into a template and what is spliced in."""

    algorithm: SignatureAlgorithm
    certificate: bytes
    chain: tuple[bytes, ...]
    content_type: str
    message_digest: bytes
    signing_time: datetime | None
    signature: bytes
    timestamp: bytes | None
    content: bytes | None
    hint: str


@st.composite
def cases(draw: st.DrawFn) -> Case:
    algorithm = draw(ALGORITHMS)
    size_bytes = algorithm.digest.size_bytes
    issued = pki.issue(
        "Cô giáo Nguyễn Thị Ánh (DEMO)",
        pki.key_for(algorithm),
        pki.issue("CA", pki.ec_key(9), is_ca=True),
        serial_number=draw(st.integers(1, 2**159 - 1)),
        padding_bytes=draw(st.sampled_from([0, 0, 100, 300, 70_000])),
    )
    timestamp = (
        CmsTemplate.build(issued.der, (), algorithm)
        .without_certificates()
        .assemble(b"\x31\x00", bytes(draw(st.sampled_from([100, 3_800, 70_000]))))
    )
    return Case(
        algorithm=algorithm,
        certificate=issued.der,
        chain=tuple(pki.issue(f"CA {number}", pki.ec_key(number), is_ca=True).der for number in range(draw(st.integers(0, 3)))),
        content_type=draw(st.sampled_from([ID_DATA, "1.3.6.1.4.1.99999.5", "1.3.6.1.4.1.99999" + ".99999" * 20])),
        message_digest=draw(st.binary(min_size=size_bytes, max_size=size_bytes)),
        signing_time=draw(st.none() | st.datetimes(datetime(1950, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001 - hypothesis adds the zone
        signature=draw(st.binary(min_size=8, max_size=512)),
        timestamp=timestamp if draw(st.booleans()) else None,
        content=draw(st.none() | st.binary(max_size=300) | st.just(bytes(70_000))),
        hint=draw(st.sampled_from(["", "application/xml", "text/plain; charset=utf-8", "x/" + "y" * 200])),
    )


def asn1crypto_attributes(case: Case) -> cms.CMSAttributes:
    parsed = x509.Certificate.load(case.certificate)
    digest = case.algorithm.digest.value
    ess = tsp.ESSCertIDv2(
        {
            "hash_algorithm": {"algorithm": digest},
            "cert_hash": hashlib.new(digest, case.certificate).digest(),
            "issuer_serial": {
                "issuer": [x509.GeneralName("directory_name", parsed.issuer)],
                "serial_number": parsed.serial_number,
            },
        }
    )
    attributes = [
        {"type": "content_type", "values": [case.content_type]},
        {"type": "message_digest", "values": [case.message_digest]},
        {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [ess]})]},
    ]
    if case.signing_time is not None:
        kind, clock = ("utc_time", cms.UTCTime) if case.signing_time.year < 2050 else ("generalized_time", cms.GeneralizedTime)
        attributes.append({"type": "signing_time", "values": [cms.Time(kind, clock(case.signing_time.replace(microsecond=0)))]})
    if case.hint:
        hints = {"content_description": case.hint, "content_type": "data"}
        attributes.append({"type": "1.2.840.113549.1.9.16.2.4", "values": [ContentHints(hints)]})
    return cms.CMSAttributes([cms.CMSAttribute(attribute) for attribute in attributes])


def asn1crypto_content_info(case: Case, attributes: cms.CMSAttributes) -> bytes:
    parsed = x509.Certificate.load(case.certificate)
    digest = {"algorithm": case.algorithm.digest.value}
    identifier = cms.IssuerAndSerialNumber({"issuer": parsed.issuer, "serial_number": parsed.serial_number})
    signer = {
        "version": "v1",
        "sid": cms.SignerIdentifier("issuer_and_serial_number", identifier),
        "digest_algorithm": digest,
        "signed_attrs": cms.CMSAttributes.load(attributes.dump()),
        "signature_algorithm": asn1crypto_signature_algorithm(case.algorithm),
        "signature": case.signature,
    }
    if case.timestamp is not None:
        signer["unsigned_attrs"] = [{"type": "signature_time_stamp_token", "values": [cms.ContentInfo.load(case.timestamp)]}]
    encapsulated: dict[str, object] = {"content_type": case.content_type}
    if case.content is not None:
        encapsulated["content"] = case.content
    signed_data = {
        "version": "v1" if case.content_type == ID_DATA else "v3",
        "digest_algorithms": [digest],
        "encap_content_info": encapsulated,
        "certificates": [cms.CertificateChoices("certificate", x509.Certificate.load(der)) for der in (case.certificate, *case.chain)],
        "signer_infos": [cms.SignerInfo(signer)],
    }
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed_data)}).dump())


@settings(deadline=None, max_examples=60, phases=[Phase.explicit, Phase.generate])
@given(cases())
def test_der_equals_what_asn1crypto_writes_for_the_same_content(case: Case) -> None:
    template = CmsTemplate.build(
        case.certificate,
        case.chain,
        case.algorithm,
        content_type=case.content_type,
        signing_time=case.signing_time is not None,
        hint=case.hint,
    )

    ours = template.signed_attributes(case.message_digest, case.signing_time)
    theirs = asn1crypto_attributes(case)
    assert ours == theirs.dump()

    whole = template.assemble(ours, case.signature, timestamp=case.timestamp, content=case.content)
    assert whole == asn1crypto_content_info(case, theirs)
    if case.content is not None:
        before, after = template.around(ours, case.signature, timestamp=case.timestamp, content_bytes=len(case.content))
        assert before + case.content + after == whole
    if len(case.signature) <= template.signature_bytes_max:
        size_max = template.size_max(len(case.timestamp or b""), None if case.content is None else len(case.content))
        assert len(whole) <= size_max <= len(whole) + template.signature_bytes_max + 32


@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize("signing_time", [None, datetime(2026, 5, 30, 17, 0, tzinfo=UTC)])
@pytest.mark.parametrize("algorithm", list(SignatureAlgorithm))
def test_openssl_verifies_each_algorithm(
    tmp_path: Path, algorithm: SignatureAlgorithm, signing_time: datetime | None, detached: bool
) -> None:
    issued = pki.issue("Hiệu trưởng (DEMO)", pki.key_for(algorithm, 7), pki.authority())
    template = CmsTemplate.build(issued.der, (pki.authority().der,), algorithm, signing_time=signing_time is not None)
    attributes = template.signed_attributes(hashlib.new(algorithm.digest.value, CONTENT).digest(), signing_time)
    signature = pki.sign(issued.key, algorithm, hashlib.new(algorithm.digest.value, attributes).digest())
    encoded = template.assemble(attributes, signature, content=None if detached else CONTENT)

    (tmp_path / "cms.der").write_bytes(encoded)
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "root.pem").write_bytes(pki.root().pem)
    command = [
        "openssl",
        "cms",
        "-verify",
        "-binary",
        "-cades",
        "-inform",
        "DER",
        "-in",
        "cms.der",
        "-CAfile",
        "root.pem",
        "-purpose",
        "any",
    ]
    judged = subprocess.run([*command, *(("-content", "content") if detached else ())], cwd=tmp_path, capture_output=True, check=False)
    assert judged.returncode == 0, judged.stderr.decode()
    assert judged.stdout == CONTENT

    (tmp_path / "cms.der").write_bytes(template.assemble(attributes, signature, content=CONTENT + b"!"))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("algorithm", list(SignatureAlgorithm))
def test_reserved_space_holds_any_signature_and_timestamp(algorithm: SignatureAlgorithm) -> None:
    issued = pki.issue("Văn thư", pki.key_for(algorithm))
    template = CmsTemplate.build(issued.der, (), algorithm)
    attributes = template.signed_attributes(bytes(algorithm.digest.size_bytes))
    for _ in range(20):
        signature = pki.sign(issued.key, algorithm, bytes(algorithm.digest.size_bytes))
        assert len(template.assemble(attributes, signature)) <= template.size_max(0)
        assert len(template.assemble(attributes, signature, timestamp=bytes(3_800))) <= template.size_max(3_800)


def test_a_certificate_in_its_own_chain_is_embedded_once() -> None:
    issued = pki.issue("CA", pki.rsa_key(), is_ca=True)
    alone = CmsTemplate.build(issued.der, (), SignatureAlgorithm.RSA_PKCS1_SHA256)
    doubled = CmsTemplate.build(issued.der, (issued.der,), SignatureAlgorithm.RSA_PKCS1_SHA256)
    assert doubled == alone


def test_without_certificates_embeds_none() -> None:
    issued = pki.issue("TSA", pki.rsa_key())
    template = CmsTemplate.build(issued.der, (), SignatureAlgorithm.RSA_PKCS1_SHA256)
    bare = cms.ContentInfo.load(template.without_certificates().assemble(template.signed_attributes(bytes(32)), b"s"))
    assert bare["content"]["certificates"].native is None


@pytest.mark.parametrize("certificate", [b"", b"0\x00", b"not a certificate", bytes(2_000)])
def test_what_is_no_certificate_is_refused(certificate: bytes) -> None:
    with pytest.raises(CertificateUnusable):
        CmsTemplate.build(certificate, (), SignatureAlgorithm.RSA_PKCS1_SHA256)


def test_a_key_of_the_other_family_is_refused() -> None:
    with pytest.raises(AlgorithmUnsupported, match="ecdsa-sha256"):
        CmsTemplate.build(pki.issue("RSA", pki.rsa_key()).der, (), SignatureAlgorithm.ECDSA_SHA256)


def test_a_digest_of_the_wrong_length_or_an_unasked_time_is_our_bug() -> None:
    template = CmsTemplate.build(pki.issue("RSA", pki.rsa_key()).der, (), SignatureAlgorithm.RSA_PKCS1_SHA256)
    with pytest.raises(InternalError, match="32 bytes"):
        template.signed_attributes(bytes(20))
    with pytest.raises(InternalError, match="signing time"):
        template.signed_attributes(bytes(32), datetime(2026, 5, 30, tzinfo=UTC))
