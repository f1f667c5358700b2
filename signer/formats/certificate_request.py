"""Certificate requests: PKCS#10 (RFC 2986), signed by whoever holds the key.

Rules of the file: pure. The subject comes as an encoded Name, the key as SubjectPublicKeyInfo; the signature is made elsewhere, over
exactly what `request_info` gives.
"""

from __future__ import annotations

import re
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
_COUNTRY = re.compile("[A-Za-z]{2}")
_COMMON_NAME_MAX = 64
_PRINTABLE_STRING = 0x13
_IA5_STRING = 0x16


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

    Raises InvalidArgument for a value that an attribute can't hold: a country is two letters, a common name at most 64 characters (RFC 5280
    appendix A.1). Written here because the library counts bytes, of which a Vietnamese letter has up to three.
    """
    if not subject.common_name.strip():
        raise InvalidArgument("subject.common_name is required", field="subject.common_name")
    if len(subject.common_name) > _COMMON_NAME_MAX:
        raise InvalidArgument(f"subject.common_name is longer than {_COMMON_NAME_MAX} characters", field="subject.common_name")
    country = subject.country or _DEFAULT_COUNTRY
    if not _COUNTRY.fullmatch(country):
        raise InvalidArgument("subject.country must be two letters, such as VN", field="subject.country")
    parts = [
        (NameOID.COUNTRY_NAME, der.tlv(_PRINTABLE_STRING, country.encode())),
        *_utf8(NameOID.LOCALITY_NAME, subject.locality),
        *_utf8(NameOID.ORGANIZATION_NAME, subject.organization),
        *_utf8(NameOID.ORGANIZATIONAL_UNIT_NAME, *subject.organizational_units),
        *_utf8(NameOID.COMMON_NAME, subject.common_name),
        *_utf8(NameOID.USER_ID, subject.user_id),
    ]
    if subject.email:
        if not subject.email.isascii():
            raise InvalidArgument("subject.email can hold ASCII characters only", field="subject.email")
        parts.append((NameOID.EMAIL_ADDRESS, der.tlv(_IA5_STRING, subject.email.encode())))
    return der.sequence(*[der.set_of(der.sequence(der.oid(oid.dotted_string), value)) for oid, value in parts])


def _utf8(oid: x509.ObjectIdentifier, *values: str) -> list[tuple[x509.ObjectIdentifier, bytes]]:
    return [(oid, der.utf8_string(value)) for value in values if value]


def request_info(subject: bytes, public_key: bytes) -> bytes:
    """CertificationRequestInfo (RFC 2986 §4.1) without attributes: what is signed. subject: Name, public_key: SPKI, both DER."""
    return der.sequence(der.integer(_VERSION_1), subject, public_key, der.implicit(0, der.set_of()))


def assemble_request(info: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    """CertificationRequest (RFC 2986 §4.2), DER."""
    return der.sequence(info, SIGNATURE_IDENTIFIERS[algorithm], der.tlv(der.BIT_STRING, b"\x00" + signature))
