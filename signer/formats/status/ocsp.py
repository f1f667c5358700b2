"""OCSP (RFC 6960, as RFC 5019 profiles it): a request for one certificate, and its answer judged in full.

No nonce: answers made beforehand are welcome, and thisUpdate and nextUpdate bound their age. The answer may be signed by the issuer's own
key, or by a responder whose certificate came with it, was issued by that very key, names id-kp-OCSPSigning and carries
id-pkix-ocsp-nocheck. A responder whose own status would have to be asked is not taken: the CRL is asked instead.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.errors import CertificateRevoked
from signer.formats.status.answer import (
    CLOCKS_APART_MAX,
    Answer,
    AnswerKind,
    AnswerRefused,
    Terms,
    check_digest,
    check_time,
    refusing_what_is_no,
)
from signer.formats.status.path import is_issued_by
from signer.formats.status.question import UNREADABLE, Question

_PSS: Final = "1.2.840.113549.1.1.10"
_CERT_ID_HASHES: Final = frozenset({"sha1", "sha256", "sha384", "sha512"})


def build_request(question: Question) -> bytes:
    """OCSPRequest, DER. The certID uses SHA-1, the one that every responder knows (RFC 5019 §2.1.1); nothing is signed with it."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(question.certificate, question.issuer, hashes.SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


def judge(encoded: bytes, question: Question, terms: Terms) -> Answer:
    """What an OCSPResponse says of a certificate.

    Raises:
        AnswerRefused: it can't be relied on.
        CertificateRevoked: it says so, and can be relied on.
    """
    with refusing_what_is_no("OCSP response"):
        return _judge(encoded, question, terms)


def _judge(encoded: bytes, question: Question, terms: Terms) -> Answer:
    response, single = _read(encoded)
    _check_subject(single, question)
    good_until = single.next_update_utc or single.this_update_utc + terms.age_max
    check_time(single.this_update_utc, good_until, terms)
    check_digest(_digest(response), terms)
    _check_signer(response, question)
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        raise revoked(question, single.revocation_time_utc, single.revocation_reason)
    if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        raise AnswerRefused("refused", "the responder does not know the certificate")
    return Answer(AnswerKind.OCSP, encoded, single.this_update_utc, good_until)


def revoked(question: Question, at: datetime | None, reason: x509.ReasonFlags | None) -> CertificateRevoked:
    """The refusal of a revoked certificate."""
    when = at.isoformat(timespec="seconds") if at else "an unknown time"
    why = f" ({reason.value})" if reason else ""
    return CertificateRevoked(
        f"the certificate with serial {question.serial} was revoked at {when}{why}",
        serial=question.serial,
        revocationTime=at.isoformat() if at else "",
    )


def _read(encoded: bytes) -> tuple[ocsp.OCSPResponse, ocsp.OCSPSingleResponse]:
    response = ocsp.load_der_ocsp_response(encoded)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise AnswerRefused("refused", f"the responder answered {response.response_status.name}")
    if any(extension.critical for extension in response.extensions):
        raise AnswerRefused("encoding", "it has a critical extension that is not known here")
    singles = list(response.responses)
    if len(singles) != 1:
        raise AnswerRefused("certificate", f"it is about {len(singles)} certificates instead of the one asked about")
    return response, singles[0]


def _check_subject(single: ocsp.OCSPSingleResponse, question: Question) -> None:
    algorithm = single.hash_algorithm
    if algorithm.name not in _CERT_ID_HASHES:
        raise AnswerRefused("certificate", f"its certID uses {algorithm.name}")
    named = (single.serial_number, single.issuer_name_hash, single.issuer_key_hash)
    name_hash = _hash(algorithm, question.certificate.issuer.public_bytes())
    if named != (question.certificate.serial_number, name_hash, _hash(algorithm, _key_bits(question.issuer))):
        raise AnswerRefused("certificate", "it is about another certificate than the one asked about")


def _check_signer(response: ocsp.OCSPResponse, question: Question) -> None:
    if _named(response, question.issuer):
        signer = question.issuer
    else:
        signer = next((each for each in response.certificates if _named(response, each)), question.issuer)
        _check_delegate(signer, question, response.produced_at_utc)
    if not _signed(response, signer):
        raise AnswerRefused("signature", "it was not signed by the responder it names")


def _check_delegate(signer: x509.Certificate, question: Question, produced_at: datetime) -> None:
    """RFC 6960 §4.2.2.2: issued by the very CA, for OCSP, and nobody has to ask for its own status."""
    if signer is question.issuer:
        raise AnswerRefused("signer", "the responder it names is neither the certificate's CA nor embedded")
    if not is_issued_by(signer, question.issuer):
        raise AnswerRefused("signer", "its responder's certificate was not issued by the certificate's CA")
    try:
        usages = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        signer.extensions.get_extension_for_class(x509.OCSPNoCheck)
    except UNREADABLE as absent:
        raise AnswerRefused("signer", f"its responder's certificate does not allow it without a further question: {absent}") from absent
    if ExtendedKeyUsageOID.OCSP_SIGNING not in usages:
        raise AnswerRefused("signer", "its responder's certificate is not for signing OCSP answers")
    if not signer.not_valid_before_utc <= produced_at + CLOCKS_APART_MAX or produced_at > signer.not_valid_after_utc:
        raise AnswerRefused("signer", "its responder's certificate was not valid when it was made")


def _named(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == _hash(hashes.SHA1(), _key_bits(certificate))  # noqa: S303 - RFC 6960 §4.2.1


def _signed(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, digest = signer.public_key(), response.signature_hash_algorithm
    try:
        if isinstance(key, rsa.RSAPublicKey) and digest is not None and response.signature_algorithm_oid.dotted_string != _PSS:
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(digest))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _digest(response: ocsp.OCSPResponse) -> hashes.HashAlgorithm | None:
    try:
        return response.signature_hash_algorithm
    except Exception:  # noqa: BLE001  # an algorithm it does not know
        return None


def _key_bits(certificate: x509.Certificate) -> bytes:
    """The bits of the public key without tag, length and unused bits (RFC 6960 §4.1.1)."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return b""


def _hash(algorithm: hashes.HashAlgorithm, content: bytes) -> bytes:
    state = hashes.Hash(algorithm)
    state.update(content)
    return state.finalize()
