"""What a credential's certificate and public key say, and what is the matter with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from signer.algorithms import DEFAULT_BY_FAMILY, EC_CURVES, RSA_KEY_BITS_MIN, KeyFamily, KeyKind, SignatureAlgorithm
from signer.model import Problem, ProblemKind

_REMEMBERED = 4096
_CURVES = tuple(EC_CURVES.values())


@dataclass(frozen=True, slots=True)
class Validity:
    """A certificate's facts that are asked for at every request. serial: lower-case hex."""

    not_before: datetime
    not_after: datetime
    serial: str
    subject: str


@lru_cache(maxsize=_REMEMBERED)
def validity_of(certificate: bytes) -> Validity | None:
    """What a certificate (DER) says; None for none."""
    if not certificate:
        return None
    parsed = x509.load_der_x509_certificate(certificate)
    return Validity(parsed.not_valid_before_utc, parsed.not_valid_after_utc, f"{parsed.serial_number:x}", parsed.subject.rfc4514_string())


def load_certificate(raw: bytes) -> x509.Certificate:
    """PEM or DER; ValueError for anything else."""
    return x509.load_pem_x509_certificate(raw) if raw.lstrip().startswith(b"-----") else x509.load_der_x509_certificate(raw)


def public_key_of(certificate: x509.Certificate) -> bytes:
    """SubjectPublicKeyInfo, DER; ValueError or UnsupportedAlgorithm for a key that nobody knows."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def usage_problems(certificate: x509.Certificate) -> list[Problem]:
    """Whether its key usage lets it sign documents (RFC 5280 §4.2.1.3)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return []
    except ValueError:
        return [Problem(ProblemKind.KEY_USAGE, "its certificate's extensions can't be read")]
    if usage.digital_signature or usage.content_commitment:
        return []
    return [Problem(ProblemKind.KEY_USAGE, "its certificate's key usage allows neither digitalSignature nor nonRepudiation")]


def key_problems(family: KeyFamily | None, bits: int, public_key: bytes) -> Iterator[Problem]:
    """Whether the key is of a kind and length that is used. bits: of the RSA modulus, 0 for unknown. public_key: empty for unknown."""
    if family is None:
        yield Problem(ProblemKind.KEY_UNSUPPORTED, "its key is neither RSA nor EC")
    if family is KeyFamily.RSA and 0 < bits < RSA_KEY_BITS_MIN:
        yield Problem(ProblemKind.KEY_UNSUPPORTED, f"its RSA key has {bits} bits; {RSA_KEY_BITS_MIN} is the least")
    if family is KeyFamily.EC and public_key and _curve(public_key) not in _CURVES:
        yield Problem(ProblemKind.KEY_UNSUPPORTED, f"its curve is {_curve(public_key)}; P-256 and P-384 are used")


def algorithms_of(family: KeyFamily | None) -> tuple[SignatureAlgorithm, ...]:
    """What a key can sign with, the default first."""
    if family is None:
        return ()
    default = DEFAULT_BY_FAMILY[family]
    return (default, *(algorithm for algorithm in SignatureAlgorithm if algorithm.family is family and algorithm is not default))


def key_kind_of(certificate: bytes) -> KeyKind | None:
    """Kind and size of a certificate's key; None for one that the appliance does not use."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPublicKey):
        return {2048: KeyKind.RSA_2048, 3072: KeyKind.RSA_3072, 4096: KeyKind.RSA_4096}.get(key.key_size)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {curve: kind for kind, curve in EC_CURVES.items()}.get(key.curve.name)
    return None


def _curve(public_key: bytes) -> str:
    key = load_der_public_key(public_key)
    return key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else "unknown"
