"""Certificate revocation lists (RFC 5280 §5), judged in full: complete ones of the certificate's own issuer; no delta, no indirect one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from signer.formats.status.answer import Answer, AnswerKind, AnswerRefused, Terms, check_digest, check_time, refusing_what_is_no
from signer.formats.status.ocsp import revoked
from signer.formats.status.question import UNREADABLE, Question

_KNOWN_CRITICAL: Final = frozenset({x509.IssuingDistributionPoint.oid})


@dataclass(frozen=True, slots=True)
class Crl:
    """A CRL, parsed once: it answers about many certificates."""

    encoded: bytes
    parsed: x509.CertificateRevocationList

    @classmethod
    def read(cls, encoded: bytes) -> Crl:
        """AnswerRefused for what is no CRL in DER."""
        with refusing_what_is_no("CRL"):
            return cls(encoded, x509.load_der_x509_crl(encoded))


def judge(crl: Crl, question: Question, terms: Terms) -> Answer:
    """What a CRL says of a certificate.

    Raises:
        AnswerRefused: it can't be relied on, or is not about the certificate.
        CertificateRevoked: it names the certificate, and can be relied on.
    """
    with refusing_what_is_no("CRL"):
        return _judge(crl, question, terms)


def _judge(crl: Crl, question: Question, terms: Terms) -> Answer:
    parsed = crl.parsed
    if parsed.issuer != question.certificate.issuer:
        raise AnswerRefused("certificate", "it is another CA's")
    until = parsed.next_update_utc
    if until is None:
        raise AnswerRefused("time", "it does not say until when it is good")
    check_time(parsed.last_update_utc, until, terms)
    check_digest(_digest(parsed), terms)
    _check_signer(parsed, question.issuer)
    _check_scope(parsed, question)
    entry = parsed.get_revoked_certificate_by_serial_number(question.certificate.serial_number)
    if entry is not None:
        raise revoked(question, entry.revocation_date_utc, _reason(entry))
    return Answer(AnswerKind.CRL, crl.encoded, parsed.last_update_utc, until)


def _check_signer(parsed: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    try:
        may_sign = issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        may_sign = True
    if not may_sign:
        raise AnswerRefused("signer", "the CA's key may not sign CRLs")
    try:
        is_signed = parsed.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # TypeError for keys that sign nothing
    except Exception as unsupported:  # by kind of key and algorithm
        raise AnswerRefused("signature", f"its signature can't be checked: {type(unsupported).__name__}") from unsupported
    if not is_signed:
        raise AnswerRefused("signature", "it was not signed by the certificate's CA")


def _check_scope(parsed: x509.CertificateRevocationList, question: Question) -> None:
    """RFC 5280 §5.2.5: which certificates it is about."""
    unknown = [each.oid.dotted_string for each in parsed.extensions if each.critical and each.oid not in _KNOWN_CRITICAL]
    if unknown:
        raise AnswerRefused("scope", f"it has critical extensions that are not known here ({', '.join(unknown)}), or is a delta CRL")
    try:
        point = parsed.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return
    is_ca = _is_ca(question.certificate)
    if point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs:
        raise AnswerRefused("scope", "it is indirect, or not complete")
    if (point.only_contains_user_certs and is_ca) or (point.only_contains_ca_certs and not is_ca):
        raise AnswerRefused("scope", "it is about another kind of certificates")
    names = {name.value for name in point.full_name or () if isinstance(name, x509.UniformResourceIdentifier)}
    if point.relative_name or (point.full_name and names.isdisjoint(question.crl_urls)):
        raise AnswerRefused("scope", "it is of another distribution point")


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except UNREADABLE:
        return False


def _digest(parsed: x509.CertificateRevocationList) -> hashes.HashAlgorithm | None:
    try:
        return parsed.signature_hash_algorithm
    except Exception:  # noqa: BLE001  # an algorithm it does not know
        return None


def _reason(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except UNREADABLE:
        return None
