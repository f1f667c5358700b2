"""What the demo certificates say: names, validity, and the key usages of each kind of leaf, as tables.

RFC 5280 §4.2.1.3 (key usage) and §4.2.1.12 (extended key usage), RFC 3161 §2.3 (timestamp authority: critical, sole), RFC 6960
§4.2.2.2 (OCSP responder). Values only, no keys.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LEAF_YEARS = 5


@dataclass(frozen=True, slots=True)
class Subject:
    """A distinguished name, in the order the government's certificates have it: C, L, O, OU…, CN, UID.

    uid: what public CAs put there, such as `CCCD:000…` or `MST:…`. Empty parts are left out.
    """

    common_name: str
    organisation: str = ""
    units: tuple[str, ...] = ()
    locality: str = ""
    uid: str = ""

    def name(self) -> x509.Name:
        """As an X.509 name; values are UTF-8 strings."""
        parts = [
            (NameOID.COUNTRY_NAME, "VN"),
            (NameOID.LOCALITY_NAME, self.locality),
            (NameOID.ORGANIZATION_NAME, self.organisation),
            *((NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in self.units),
            (NameOID.COMMON_NAME, self.common_name),
            (NameOID.USER_ID, self.uid),
        ]
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate is valid; both aware datetimes."""

    not_before: dt.datetime
    not_after: dt.datetime

    @classmethod
    def current(cls, now: dt.datetime) -> Validity:
        """Valid since yesterday, for a full term."""
        return cls._term(now - dt.timedelta(days=1))

    @classmethod
    def expired(cls, now: dt.datetime) -> Validity:
        """Ended yesterday, after a full term."""
        return cls._term(now - dt.timedelta(days=1 + 365 * LEAF_YEARS))

    @classmethod
    def not_yet(cls, now: dt.datetime) -> Validity:
        """Begins in a month, as a renewed certificate that came early."""
        return cls._term(now + dt.timedelta(days=30))

    @classmethod
    def _term(cls, start: dt.datetime) -> Validity:
        return cls(start, start + dt.timedelta(days=365 * LEAF_YEARS))


class Usage(Enum):
    """Which key usage bits a certificate has; ENCRYPTION is one that must not sign documents."""

    SIGNING = frozenset({"digital_signature", "content_commitment"})
    AUTHENTICATION = frozenset({"digital_signature"})
    ENCRYPTION = frozenset({"key_encipherment", "data_encipherment"})
    AUTHORITY = frozenset({"key_cert_sign", "crl_sign"})

    def extension(self) -> x509.KeyUsage:
        """As the X.509 extension's value."""
        bits = self.value
        return x509.KeyUsage(
            digital_signature="digital_signature" in bits,
            content_commitment="content_commitment" in bits,
            key_encipherment="key_encipherment" in bits,
            data_encipherment="data_encipherment" in bits,
            key_agreement=False,
            key_cert_sign="key_cert_sign" in bits,
            crl_sign="crl_sign" in bits,
            encipher_only=False,
            decipher_only=False,
        )


class LeafKind(Enum):
    """Who a leaf certificate is for."""

    SUBJECT_TEACHER = "gvbm"
    HOMEROOM_TEACHER = "gvcn"
    PRINCIPAL = "cbql"
    SCHOOL_SEAL = "seal"
    TSA = "tsa"
    OCSP_RESPONDER = "ocsp"


@dataclass(frozen=True, slots=True)
class LeafProfile:
    """The extensions that differ between kinds of leaves."""

    usage: Usage
    extended: tuple[x509.ObjectIdentifier, ...]
    extended_critical: bool = False
    ocsp_no_check: bool = False


_PERSON = LeafProfile(Usage.SIGNING, (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION))
PROFILES = {
    LeafKind.SUBJECT_TEACHER: _PERSON,
    LeafKind.HOMEROOM_TEACHER: _PERSON,
    LeafKind.PRINCIPAL: _PERSON,
    LeafKind.SCHOOL_SEAL: LeafProfile(Usage.SIGNING, (ExtendedKeyUsageOID.EMAIL_PROTECTION,)),
    LeafKind.TSA: LeafProfile(Usage.SIGNING, (ExtendedKeyUsageOID.TIME_STAMPING,), extended_critical=True),
    LeafKind.OCSP_RESPONDER: LeafProfile(Usage.AUTHENTICATION, (ExtendedKeyUsageOID.OCSP_SIGNING,), ocsp_no_check=True),
}
