"""The signature and digest algorithms the appliance uses, as one table.

RFC 8017 (RSA PKCS#1 v1.5 and PSS), RFC 5480/5758 (ECDSA), FIPS 180-4 (SHA-2). SHA-1 is not in the table: it is never used for a
new signature (design: domain §4). Everything that differs between algorithms is a column here, so that no other room branches on
an algorithm's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class DigestAlgorithm(Enum):
    """A SHA-2 digest; the value is hashlib's and OpenSSL's name."""

    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"

    @property
    def size_bytes(self) -> int:
        """Length of a digest, in bytes."""
        return _DIGEST_SIZES_BYTES[self]


_DIGEST_SIZES_BYTES = {DigestAlgorithm.SHA256: 32, DigestAlgorithm.SHA384: 48, DigestAlgorithm.SHA512: 64}


class KeyFamily(Enum):
    """The kind of key an algorithm needs."""

    RSA = "rsa"
    EC = "ec"


class KeyKind(Enum):
    """A kind of key pair that the appliance generates; the value is its name on the command line."""

    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"

    @property
    def family(self) -> KeyFamily:
        """RSA or EC."""
        return KeyFamily.RSA if self in RSA_BITS else KeyFamily.EC


RSA_BITS = {KeyKind.RSA_2048: 2048, KeyKind.RSA_3072: 3072, KeyKind.RSA_4096: 4096}
"""Bits of the modulus, for the RSA kinds."""
EC_CURVES = {KeyKind.EC_P256: "secp256r1", KeyKind.EC_P384: "secp384r1"}
"""The named curve, for the EC kinds."""


class Padding(Enum):
    """How a digest becomes the token's input."""

    PKCS1_V15 = "pkcs1-v1_5"
    PSS = "pss"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class _Row:
    family: KeyFamily
    padding: Padding
    digest: DigestAlgorithm


class SignatureAlgorithm(Enum):
    """A signature algorithm; the value is its name in configuration, metrics and on the command line."""

    RSA_PKCS1_SHA256 = "rsa-pkcs1-sha256"
    RSA_PKCS1_SHA384 = "rsa-pkcs1-sha384"
    RSA_PKCS1_SHA512 = "rsa-pkcs1-sha512"
    RSA_PSS_SHA256 = "rsa-pss-sha256"
    RSA_PSS_SHA384 = "rsa-pss-sha384"
    RSA_PSS_SHA512 = "rsa-pss-sha512"
    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"
    ECDSA_SHA512 = "ecdsa-sha512"

    @property
    def family(self) -> KeyFamily:
        """The kind of key it needs."""
        return _TABLE[self].family

    @property
    def padding(self) -> Padding:
        """How the digest is padded before it meets the key."""
        return _TABLE[self].padding

    @property
    def digest(self) -> DigestAlgorithm:
        """The digest it signs; for PSS also MGF1's, with a salt of the digest's length."""
        return _TABLE[self].digest


_TABLE = {
    SignatureAlgorithm.RSA_PKCS1_SHA256: _Row(KeyFamily.RSA, Padding.PKCS1_V15, DigestAlgorithm.SHA256),
    SignatureAlgorithm.RSA_PKCS1_SHA384: _Row(KeyFamily.RSA, Padding.PKCS1_V15, DigestAlgorithm.SHA384),
    SignatureAlgorithm.RSA_PKCS1_SHA512: _Row(KeyFamily.RSA, Padding.PKCS1_V15, DigestAlgorithm.SHA512),
    SignatureAlgorithm.RSA_PSS_SHA256: _Row(KeyFamily.RSA, Padding.PSS, DigestAlgorithm.SHA256),
    SignatureAlgorithm.RSA_PSS_SHA384: _Row(KeyFamily.RSA, Padding.PSS, DigestAlgorithm.SHA384),
    SignatureAlgorithm.RSA_PSS_SHA512: _Row(KeyFamily.RSA, Padding.PSS, DigestAlgorithm.SHA512),
    SignatureAlgorithm.ECDSA_SHA256: _Row(KeyFamily.EC, Padding.NONE, DigestAlgorithm.SHA256),
    SignatureAlgorithm.ECDSA_SHA384: _Row(KeyFamily.EC, Padding.NONE, DigestAlgorithm.SHA384),
    SignatureAlgorithm.ECDSA_SHA512: _Row(KeyFamily.EC, Padding.NONE, DigestAlgorithm.SHA512),
}

DEFAULT_BY_FAMILY = {
    KeyFamily.RSA: SignatureAlgorithm.RSA_PKCS1_SHA256,
    KeyFamily.EC: SignatureAlgorithm.ECDSA_SHA256,
}
RSA_KEY_BITS_MIN = 2048
