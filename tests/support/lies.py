"""Timestamps with one thing wrong in each: what `verify_timestamp` must name, and what the client must quarantine for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.formats import der
from signer.formats.cms import identifiers as ids
from signer.formats.cms.certificate import SignerCertificate
from signer.formats.cms.ess import signing_certificate_v2
from signer.formats.cms.template import CmsTemplate, attribute
from signer.timestamp.tsp import message_imprint
from tests.support import pki

NOW = datetime(2026, 5, 30, 10, 0, tzinfo=UTC)
POLICY = "2.999.3161.1"
IMPRINT = hashlib.sha256(b"document").digest()
NONCE = 42
RSA = SignatureAlgorithm.RSA_PKCS1_SHA256
STAMPING = (ExtendedKeyUsageOID.TIME_STAMPING,)


def attributes_of(issued: pki.Issued, tst_info: bytes) -> dict[str, bytes]:
    return {
        ids.ID_CONTENT_TYPE: der.oid(ids.ID_CT_TST_INFO),
        ids.ID_MESSAGE_DIGEST: der.octet_string(hashlib.sha256(tst_info).digest()),
        ids.ID_SIGNING_CERTIFICATE_V2: signing_certificate_v2(SignerCertificate.read(issued.der), DigestAlgorithm.SHA256),
    }


def ess_v1(issued: pki.Issued) -> bytes:
    return der.sequence(der.sequence(der.sequence(der.octet_string(hashlib.sha1(issued.der).digest()))))  # noqa: S324 - RFC 2634's


@dataclass(frozen=True)
class Lie:
    """A timestamp with what may be wrong in it; as it stands, an honest one. The last fields change it after others were made."""

    issued: pki.Issued
    chain: tuple[bytes, ...] = ()
    imprint: bytes = message_imprint(IMPRINT, DigestAlgorithm.SHA256)
    policy: str = POLICY
    gen_time: bytes = der.generalized_time(NOW)
    nonce: bytes = der.integer(NONCE)
    extensions: bytes = b""
    content_type: str = ids.ID_CT_TST_INFO
    algorithm: SignatureAlgorithm = RSA
    embedded: bool = True
    change_attributes: Callable[[dict[str, bytes]], object] = lambda _: None
    change_tst_info: Callable[[bytes], bytes] = lambda tst_info: tst_info
    change_signature: Callable[[bytes], bytes] = lambda signature: signature
    change_whole: Callable[[bytes], bytes] = lambda whole: whole

    def encoded(self) -> bytes:
        version, serial = der.integer(1), der.integer(7)
        accuracy = der.sequence(der.integer(1))
        tst_info = der.sequence(version, der.oid(self.policy), self.imprint, serial, self.gen_time, accuracy, self.nonce, self.extensions)
        attributes = attributes_of(self.issued, tst_info)
        self.change_attributes(attributes)
        signed = der.set_of(*(attribute(kind, value) for kind, value in attributes.items()))
        signature = pki.sign(self.issued.key, self.algorithm, hashlib.new(self.algorithm.digest.value, signed).digest())
        cms = CmsTemplate.build(self.issued.der, self.chain, self.algorithm, content_type=self.content_type)
        cms = cms if self.embedded else cms.without_certificates()
        whole = cms.assemble(signed, self.change_signature(signature), content=self.change_tst_info(tst_info))
        return self.change_whole(whole)


def honest(algorithm: SignatureAlgorithm = RSA) -> Lie:
    return Lie(pki.tsa(algorithm), (pki.authority().der,), algorithm=algorithm)


def other_tsa(**changes: object) -> Lie:
    arguments: dict[str, object] = {"usages": STAMPING} | changes
    return Lie(pki.issue("TSA (DEMO)", pki.rsa_key(103), pki.authority(), **arguments), (pki.authority().der,))  # type: ignore[arg-type]


def flip(position: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:position] + bytes((data[position] ^ 1,)) + data[position + 1 :]


def setting(kind: str, value: bytes) -> Callable[[dict[str, bytes]], object]:
    return lambda attributes: attributes.update({kind: value})


def removing(kind: str) -> Callable[[dict[str, bytes]], object]:
    return lambda attributes: attributes.pop(kind)


def extension(*, critical: bool) -> bytes:
    return der.implicit(1, der.sequence(der.sequence(der.oid("2.999.1"), der.TRUE if critical else b"", der.octet_string(b""))))


LIES: dict[str, tuple[Callable[[], Lie], str]] = {
    "empty": (lambda: replace(honest(), change_whole=lambda _: b""), "encoding: not a TimeStampToken"),
    "html": (lambda: replace(honest(), change_whole=lambda _: b"<html>429</html>"), "encoding: not a TimeStampToken"),
    "cut short": (lambda: replace(honest(), change_whole=lambda whole: whole[:-1]), "encoding: not a TimeStampToken"),
    "trailing bytes": (lambda: replace(honest(), change_whole=lambda whole: whole + b"\x00"), "encoding: .* left over"),
    "content type outside": (lambda: replace(honest(), content_type=ids.ID_DATA), "encoding: content type .* is no TSTInfo"),
    "tst info": (lambda: replace(honest(), change_tst_info=lambda _: b"\x30\x00"), "encoding: .* element missing"),
    "critical extension": (lambda: replace(honest(), extensions=extension(critical=True)), "encoding: a critical extension"),
    "imprint": (lambda: replace(honest(), imprint=message_imprint(bytes(32), DigestAlgorithm.SHA256)), "imprint: another digest"),
    "imprint algorithm": (
        lambda: replace(honest(), imprint=message_imprint(IMPRINT, DigestAlgorithm.SHA384)),
        "imprint: its digest algorithm",
    ),
    "nonce": (lambda: replace(honest(), nonce=der.integer(43)), "nonce: not the one that was sent"),
    "nonce missing": (lambda: replace(honest(), nonce=b""), "nonce: missing"),
    "policy": (lambda: replace(honest(), policy="2.999.3161.2"), "policy: 2.999.3161.2 is none of those accepted"),
    "time late": (lambda: replace(honest(), gen_time=der.generalized_time(NOW + timedelta(days=30))), "time: gen time 2026-06-29"),
    "time early": (lambda: replace(honest(), gen_time=der.generalized_time(NOW - timedelta(seconds=301))), "time: gen time 2026-05-30"),
    "certificate missing": (lambda: replace(honest(), embedded=False), "certificate: the signer's certificate is not embedded"),
    "certificate expired": (lambda: other_tsa(not_after=NOW - timedelta(days=1)), "certificate: .* not valid at gen time"),
    "certificate not yet valid": (lambda: other_tsa(not_before=NOW + timedelta(days=1)), "certificate: .* not valid at gen time"),
    "usage missing": (lambda: other_tsa(usages=()), "certificate: .* no readable extended key usage"),
    "usage not critical": (lambda: other_tsa(usages_critical=False), "certificate: .* not critical"),
    "usage not alone": (lambda: other_tsa(usages=(*STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)), "certificate: .* not timeStamping alone"),
    "usage another": (lambda: other_tsa(usages=(ExtendedKeyUsageOID.CODE_SIGNING,)), "certificate: .* not timeStamping alone"),
    "binding missing": (lambda: replace(honest(), change_attributes=removing(ids.ID_SIGNING_CERTIFICATE_V2)), "binding: neither"),
    "binding another": (
        lambda: replace(
            honest(),
            change_attributes=setting(
                ids.ID_SIGNING_CERTIFICATE_V2, signing_certificate_v2(SignerCertificate.read(pki.root().der), DigestAlgorithm.SHA256)
            ),
        ),
        "binding: ESSCertID names another",
    ),
    "binding another, version 1": (
        lambda: replace(honest(), change_attributes=setting(ids.ID_SIGNING_CERTIFICATE, ess_v1(pki.root()))),
        "binding: ESSCertID names another",
    ),
    "binding unreadable": (
        lambda: replace(honest(), change_attributes=setting(ids.ID_SIGNING_CERTIFICATE_V2, b"\x30\x00")),
        "binding: signing-certificate can't be read",
    ),
    "signature": (lambda: replace(honest(), change_signature=flip(100)), "signature: it does not verify"),
    "signature of another key": (
        lambda: replace(honest(), change_signature=lambda _: pki.sign(pki.rsa_key(5), RSA, bytes(32))),
        "signature: it does not verify",
    ),
    "content changed": (
        lambda: replace(honest(), change_tst_info=lambda tst_info: tst_info.replace(der.integer(7), der.integer(8))),
        "signature: the signed digest is not the TSTInfo's",
    ),
    "signed digest": (
        lambda: replace(honest(), change_attributes=setting(ids.ID_MESSAGE_DIGEST, der.octet_string(bytes(32)))),
        "signature: the signed digest",
    ),
    "signed content type": (
        lambda: replace(honest(), change_attributes=setting(ids.ID_CONTENT_TYPE, der.oid(ids.ID_DATA))),
        "signature: the signed content type",
    ),
    "pss": (lambda: replace(honest(), algorithm=SignatureAlgorithm.RSA_PSS_SHA256), "signature: algorithm .* is not accepted"),
    "digest and signature algorithm disagree": (
        lambda: replace(
            honest(),
            change_whole=lambda whole: whole.replace(
                ids.SIGNATURE_IDENTIFIERS[RSA] + b"\x04", ids.SIGNATURE_IDENTIFIERS[SignatureAlgorithm.RSA_PKCS1_SHA384] + b"\x04"
            ),
        ),
        "signature: algorithm .* is not accepted",
    ),
    "chain incomplete": (lambda: replace(honest(), chain=()), "chain: its certificate does not chain"),
    "chain to nobody": (
        lambda: Lie(pki.issue("TSA (DEMO)", pki.rsa_key(104), usages=STAMPING)),
        "chain: its certificate does not chain",
    ),
}
"""What is wrong → how it is made, and what the complaint begins with: the name of the check, then its words."""
