"""Which of the certificates in a signature has the key that made it (XMLDSig 6.4, RFC 9231 2.3)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from signer.algorithms import DigestAlgorithm, Padding, SignatureAlgorithm
from signer.formats.xml.signature_value import coordinate_bytes, read

RSA_KEY_BITS_MAX: Final = 8192
"""Verifying with a longer one takes seconds, and nobody has one."""
_HASHES: Final[dict[DigestAlgorithm, hashes.HashAlgorithm]] = {
    DigestAlgorithm.SHA256: hashes.SHA256(),
    DigestAlgorithm.SHA384: hashes.SHA384(),
    DigestAlgorithm.SHA512: hashes.SHA512(),
}


def find_signer(certificates: tuple[bytes, ...], octets: bytes, value: bytes, algorithm: SignatureAlgorithm) -> bytes | None:
    """The certificate, DER, whose key made the signature; None when none did."""
    return next((each for each in certificates if _made(each, octets, value, algorithm)), None)


def _made(certificate: bytes, octets: bytes, value: bytes, algorithm: SignatureAlgorithm) -> bool:
    try:
        key = _key_of(certificate)
        if isinstance(key, rsa.RSAPublicKey):
            return _made_with_rsa(key, octets, value, algorithm)
        return isinstance(key, ec.EllipticCurvePublicKey) and _made_with_ec(
            key, octets, read(value, coordinate_bytes(certificate)), algorithm
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        return False


@lru_cache(maxsize=64)
def _key_of(certificate: bytes) -> CertificatePublicKeyTypes:
    """A class is signed by few people."""
    return x509.load_der_x509_certificate(certificate).public_key()


def _made_with_rsa(key: rsa.RSAPublicKey, octets: bytes, value: bytes, algorithm: SignatureAlgorithm) -> bool:
    if algorithm.padding is Padding.NONE or key.key_size > RSA_KEY_BITS_MAX:
        return False
    digest = _HASHES[algorithm.digest]
    padded = padding.PSS(padding.MGF1(digest), digest.digest_size) if algorithm.padding is Padding.PSS else padding.PKCS1v15()
    key.verify(value, octets, padded, digest)
    return True


def _made_with_ec(key: ec.EllipticCurvePublicKey, octets: bytes, encoded: bytes | None, algorithm: SignatureAlgorithm) -> bool:
    if algorithm.padding is not Padding.NONE or encoded is None:
        return False
    key.verify(encoded, octets, ec.ECDSA(_HASHES[algorithm.digest]))
    return True
