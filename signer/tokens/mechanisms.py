"""How each signature algorithm is asked of a token and what its answer looks like, as one table.

PKCS#1 v1.5: CKM_RSA_PKCS over a DigestInfo (RFC 8017 §9.2). PSS: CKM_RSA_PKCS_PSS over the digest, MGF1 with the same hash, salt of the
digest's length. ECDSA: CKM_ECDSA over the digest; the token's r‖s becomes DER (RFC 3279 §2.2.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from pkcs11 import MGF, Mechanism

from signer.algorithms import DigestAlgorithm, Padding, SignatureAlgorithm

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_DIGEST_INFO_PREFIXES = {
    DigestAlgorithm.SHA256: bytes.fromhex("3031300d060960864801650304020105000420"),
    DigestAlgorithm.SHA384: bytes.fromhex("3041300d060960864801650304020205000430"),
    DigestAlgorithm.SHA512: bytes.fromhex("3051300d060960864801650304020305000440"),
}
_HASHES: dict[DigestAlgorithm, tuple[hashes.HashAlgorithm, Mechanism, MGF]] = {
    DigestAlgorithm.SHA256: (hashes.SHA256(), Mechanism.SHA256, MGF.SHA256),
    DigestAlgorithm.SHA384: (hashes.SHA384(), Mechanism.SHA384, MGF.SHA384),
    DigestAlgorithm.SHA512: (hashes.SHA512(), Mechanism.SHA512, MGF.SHA512),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One algorithm on a token.

    mechanism, parameter: for C_SignInit. shape_input: digest → C_Sign's data. shape_output: its answer → the signature formats want.
    verify(public_key, signature, digest): raises InvalidSignature or TypeError (wrong kind of key).
    """

    mechanism: Mechanism
    parameter: Any
    shape_input: Callable[[bytes], bytes]
    shape_output: Callable[[bytes], bytes]
    verify: Callable[[PublicKey, bytes, bytes], None]


def _same(value: bytes) -> bytes:
    return value


def _ecdsa_to_der(raw: bytes) -> bytes:
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))


def _rsa_verifier(scheme: padding.AsymmetricPadding, prehashed: Prehashed) -> Callable[[PublicKey, bytes, bytes], None]:
    def verify(public_key: PublicKey, signature: bytes, digest: bytes) -> None:
        if not isinstance(public_key, rsa.RSAPublicKey):
            raise InvalidSignature("an RSA signature needs an RSA key")
        public_key.verify(signature, digest, scheme, prehashed)

    return verify


def _ecdsa_verifier(prehashed: Prehashed) -> Callable[[PublicKey, bytes, bytes], None]:
    scheme = ec.ECDSA(prehashed)

    def verify(public_key: PublicKey, signature: bytes, digest: bytes) -> None:
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise InvalidSignature("an ECDSA signature needs an EC key")
        public_key.verify(signature, digest, scheme)

    return verify


def _recipe(algorithm: SignatureAlgorithm) -> Recipe:
    hash_algorithm, hash_mechanism, mgf = _HASHES[algorithm.digest]
    prehashed = Prehashed(hash_algorithm)
    if algorithm.padding is Padding.PKCS1_V15:
        prefix = _DIGEST_INFO_PREFIXES[algorithm.digest]
        return Recipe(Mechanism.RSA_PKCS, None, prefix.__add__, _same, _rsa_verifier(padding.PKCS1v15(), prehashed))
    if algorithm.padding is Padding.PSS:
        salt_bytes = algorithm.digest.size_bytes
        scheme = padding.PSS(padding.MGF1(hash_algorithm), salt_bytes)
        return Recipe(Mechanism.RSA_PKCS_PSS, (hash_mechanism, mgf, salt_bytes), _same, _same, _rsa_verifier(scheme, prehashed))
    return Recipe(Mechanism.ECDSA, None, _same, _ecdsa_to_der, _ecdsa_verifier(prehashed))


RECIPES: dict[SignatureAlgorithm, Recipe] = {algorithm: _recipe(algorithm) for algorithm in SignatureAlgorithm}
