"""Is this timestamp what was asked for, and may it be believed?

RFC 3161 §2.2, §2.4.2; RFC 5816; EN 319 422.

The ceremony of `verify_timestamp`, cheapest first, each step with its own name in TimestampInvalid (`metadata["check"]`):

1. encoding: a SignedData in DER with one signer and a TSTInfo inside, no critical extension
2. imprint: the digest and its algorithm are the ones asked for
3. nonce: the one asked with
4. policy: one of those accepted
5. time: gen time within the window around now
6. certificate: the signer's is embedded, valid at gen time, with timeStamping as its one and critical extended key usage
7. binding: ESSCertID or ESSCertIDv2 names that very certificate
8. signature: content type and digest of the TSTInfo among the signed attributes, and these signed by that certificate's key
9. chain: the certificate chains to a trust anchor at gen time

The status of a response is judged by `tsp.parse_response`, before there is a timestamp to verify. Revocation of the authority's
certificate is not looked up here: that needs the network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from signer.algorithms import DigestAlgorithm, KeyFamily
from signer.errors import CertificateUnusable, TimestampInvalid
from signer.formats import der
from signer.formats.cms import identifiers as ids
from signer.formats.cms.certificate import issuer_and_serial_number
from signer.formats.cms.ess import read_signing_certificate, read_signing_certificate_v2
from signer.formats.cms.reader import SignedData, read_signed_data
from signer.formats.der_reader import DerError
from signer.timestamp.chain import ChainQuestion, check_chain
from signer.timestamp.tst_info import TstInfo, read_tst_info
from signer.timestamp.usage import check_timestamping_usage

_REMEMBERED = 64
_BINDINGS = (ids.ID_SIGNING_CERTIFICATE_V2, ids.ID_SIGNING_CERTIFICATE)
_HASHES: dict[DigestAlgorithm, hashes.HashAlgorithm] = {
    DigestAlgorithm.SHA256: hashes.SHA256(),
    DigestAlgorithm.SHA384: hashes.SHA384(),
    DigestAlgorithm.SHA512: hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class VerifiedTimestamp:
    """A timestamp that stood every check. encoded: the TimeStampToken, DER. authority: the certificate that signed it, DER."""

    encoded: bytes
    tst_info: TstInfo
    authority: bytes


@dataclass(frozen=True, slots=True)
class _Authority:
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    not_before: datetime
    not_after: datetime


def verify_timestamp(
    token: bytes,
    *,
    imprint: bytes,
    digest_algorithm: DigestAlgorithm,
    nonce: int | None,
    policies: Collection[str],
    trusted_roots: tuple[bytes, ...],
    now: datetime,
    window: timedelta,
) -> VerifiedTimestamp:
    """Verify a TimeStampToken in full, or raise TimestampInvalid naming what is wrong.

    token: DER, as answered. imprint, digest_algorithm: what was to be stamped. nonce: what was asked with; None when none was sent.
    policies: dotted OIDs that are accepted; empty for any. trusted_roots: trust anchors, DER. now: aware. window: how far gen time may lie
    from now, either way.
    """
    signed_data, tst_info = _read(token)
    _check_answer(tst_info, imprint, digest_algorithm, nonce)
    if policies and tst_info.policy_oid not in policies:
        raise _invalid("policy", f"{tst_info.policy_oid} is none of those accepted ({', '.join(sorted(policies))})")
    if abs(tst_info.gen_time - now) > window:
        raise _invalid("time", f"gen time {tst_info.gen_time.isoformat()} is more than {window} from now, {now.isoformat()}")
    certificate = _signer_certificate(signed_data)
    authority = _usable(certificate)
    if not authority.not_before <= tst_info.gen_time <= authority.not_after:
        raise _invalid("certificate", f"its certificate is not valid at gen time {tst_info.gen_time.isoformat()}")
    _check_binding(certificate, *(signed_data.signer.attributes.get(kind) for kind in _BINDINGS))
    _check_signature(signed_data, authority)
    check_chain(ChainQuestion(certificate, signed_data.certificates, trusted_roots, token, imprint), tst_info.gen_time)
    return VerifiedTimestamp(token, tst_info, certificate)


def _invalid(check: str, text: str) -> TimestampInvalid:
    return TimestampInvalid(f"{check}: {text}", check=check)


def _read(token: bytes) -> tuple[SignedData, TstInfo]:
    try:
        signed_data = read_signed_data(token)
        if signed_data.content_type != ids.ID_CT_TST_INFO or signed_data.content is None:
            raise _invalid("encoding", f"content type {signed_data.content_type} is no TSTInfo")
        tst_info = read_tst_info(signed_data.content)
    except DerError as malformed:
        raise _invalid("encoding", f"not a TimeStampToken in DER: {malformed}") from malformed
    if tst_info.critical_extensions:
        raise _invalid("encoding", "a critical extension that is not known here")
    return signed_data, tst_info


def _check_answer(tst_info: TstInfo, imprint: bytes, digest_algorithm: DigestAlgorithm, nonce: int | None) -> None:
    if tst_info.digest_algorithm is not digest_algorithm:
        raise _invalid("imprint", f"its digest algorithm is not {digest_algorithm.value}, which was asked for")
    if tst_info.imprint != imprint:
        raise _invalid("imprint", "another digest was stamped than the one asked for")
    if nonce is not None and tst_info.nonce is None:
        raise _invalid("nonce", "missing, although one was sent")
    if nonce is not None and tst_info.nonce != nonce:
        raise _invalid("nonce", "not the one that was sent: an answer to another request")


def _signer_certificate(signed_data: SignedData) -> bytes:
    wanted = (signed_data.signer.issuer, signed_data.signer.serial_number)
    named = [certificate for certificate in signed_data.certificates if _names(certificate) == wanted]
    if not named:
        raise _invalid("certificate", "the signer's certificate is not embedded, although it was asked for")
    if len(named) > 1:
        raise _invalid("certificate", "two embedded certificates have the signer's issuer and serial number")
    return named[0]


@lru_cache(maxsize=_REMEMBERED)
def _names(certificate: bytes) -> tuple[bytes, bytes]:
    try:
        return issuer_and_serial_number(certificate)
    except CertificateUnusable as unreadable:
        raise _invalid("certificate", unreadable.message) from unreadable


@lru_cache(maxsize=_REMEMBERED)
def _usable(certificate: bytes) -> _Authority:
    """What is checked of a certificate alone, once each: key family and extended key usage."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        key = parsed.public_key()
        check_timestamping_usage(parsed)
    except CertificateUnusable as unusable:
        raise _invalid("certificate", unusable.message) from unusable
    except Exception as unreadable:  # the loader's errors differ by the field that is broken
        raise _invalid("certificate", f"it can't be read: {unreadable}") from unreadable
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise _invalid("certificate", f"its key is a {type(key).__name__}, neither RSA nor EC")
    return _Authority(key, parsed.not_valid_before_utc, parsed.not_valid_after_utc)


@lru_cache(maxsize=_REMEMBERED)
def _check_binding(certificate: bytes, version_2: bytes | None, version_1: bytes | None) -> None:
    """The signing-certificate attributes, DER, are an authority's, not a timestamp's: looked into once each."""
    try:
        named = [
            *([read_signing_certificate_v2(version_2)] if version_2 is not None else ()),
            *([read_signing_certificate(version_1)] if version_1 is not None else ()),
        ]
    except DerError as malformed:
        raise _invalid("binding", f"signing-certificate can't be read: {malformed}") from malformed
    if not named:
        raise _invalid("binding", "neither ESSCertID nor ESSCertIDv2 is signed")
    issuer, serial_number = _names(certificate)
    if not all(cert_id.names(certificate, issuer, serial_number) for cert_id in named):
        raise _invalid("binding", "ESSCertID names another certificate than the signer's")


def _check_signature(signed_data: SignedData, authority: _Authority) -> None:
    signer, digest = signed_data.signer, ids.DIGESTS_BY_OID.get(signed_data.signer.digest_oid)
    family = ids.SIGNATURE_FAMILIES.get(signer.signature_oid)
    if digest is None or family is None or ids.SIGNATURE_DIGESTS.get(signer.signature_oid, digest) is not digest:
        raise _invalid("signature", f"algorithm {signer.signature_oid} with digest {signer.digest_oid} is not accepted")
    content = signed_data.content or b""
    if signer.attributes.get(ids.ID_CONTENT_TYPE) != der.oid(ids.ID_CT_TST_INFO):
        raise _invalid("signature", "the signed content type is not TSTInfo")
    if signer.attributes.get(ids.ID_MESSAGE_DIGEST) != der.octet_string(hashlib.new(digest.value, content).digest()):
        raise _invalid("signature", "the signed digest is not the TSTInfo's: it was changed")
    try:
        if isinstance(authority.key, rsa.RSAPublicKey) and family is KeyFamily.RSA:
            authority.key.verify(signer.signature, signer.signed_attributes, padding.PKCS1v15(), _HASHES[digest])
        elif isinstance(authority.key, ec.EllipticCurvePublicKey) and family is KeyFamily.EC:
            authority.key.verify(signer.signature, signer.signed_attributes, ec.ECDSA(_HASHES[digest]))
        else:
            raise _invalid("signature", f"algorithm {signer.signature_oid} does not fit the certificate's key")
    except InvalidSignature as wrong:
        raise _invalid("signature", "it does not verify with the certificate's key") from wrong
