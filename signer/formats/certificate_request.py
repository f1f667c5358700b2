"""Certificate requests: PKCS#10 (RFC 2986), signed by whoever holds the key.

Rules of the file: pure. The subject comes as an encoded Name, the key as SubjectPublicKeyInfo; the signature is made elsewhere, over
exactly what `request_info` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from signer.algorithms import SignatureAlgorithm
from signer.errors import InvalidArgument
from signer.formats import der
from signer.formats.cms.identifiers import SIGNATURE_IDENTIFIERS

_VERSION_1 = 0
_DEFAULT_COUNTRY = "VN"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate is asked for. common_name is required; what is empty is left out, the country is VN then.

    organizational_units: outermost first. user_id: UID (0.9.2342.19200300.100.1.1), such as `CCCD:…` or `MST:…`.
    """

    common_name: str
    country: str = ""
    locality: str = ""
    organization: str = ""
    organizational_units: Sequence[str] = ()
    user_id: str = ""
    email: str = ""


def encode_name(subject: Subject) -> bytes:
    """The Name, DER: UTF8String but for the country (PrintableString) and the e-mail address (IA5String), outermost attribute first.

    Raises InvalidArgument for a value that an attribute can't hold (RFC 5280 appendix A's upper bounds).
    """
    parts = [
        (NameOID.COUNTRY_NAME, subject.country or _DEFAULT_COUNTRY),
        (NameOID.LOCALITY_NAME, subject.locality),
        (NameOID.ORGANIZATION_NAME, subject.organization),
        *((NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in subject.organizational_units),
        (NameOID.COMMON_NAME, subject.common_name),
        (NameOID.USER_ID, subject.user_id),
        (NameOID.EMAIL_ADDRESS, subject.email),
    ]
    if not subject.common_name.strip():
        raise InvalidArgument("subject.common_name is required", field="subject.common_name")
    try:
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value]).public_bytes()
    except ValueError as error:
        raise InvalidArgument(f"subject can't be encoded: {error}", field="subject") from error


def request_info(subject: bytes, public_key: bytes) -> bytes:
    """CertificationRequestInfo (RFC 2986 §4.1) without attributes: what is signed. subject: Name, public_key: SPKI, both DER."""
    return der.sequence(der.integer(_VERSION_1), subject, public_key, der.implicit(0, der.set_of()))


def assemble_request(info: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    """CertificationRequest (RFC 2986 §4.2), DER."""
    return der.sequence(info, SIGNATURE_IDENTIFIERS[algorithm], der.tlv(der.BIT_STRING, b"\x00" + signature))
