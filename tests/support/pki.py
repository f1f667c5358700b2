"""Certificates and keys for tests, made in the process: nothing here is stored or meant to last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signer.algorithms import DigestAlgorithm, KeyFamily, Padding, SignatureAlgorithm

NOT_BEFORE = datetime(2024, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2034, 1, 1, tzinfo=UTC)
HASHES: dict[DigestAlgorithm, type[hashes.HashAlgorithm]] = {
    DigestAlgorithm.SHA256: hashes.SHA256,
    DigestAlgorithm.SHA384: hashes.SHA384,
    DigestAlgorithm.SHA512: hashes.SHA512,
}
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same number, all through a test run."""
    del number
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(number: int = 0, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    del number
    return ec.generate_private_key(curve())


def key_for(algorithm: SignatureAlgorithm, number: int = 0) -> Key:
    return rsa_key(number) if algorithm.family is KeyFamily.RSA else ec_key(number)


def sign(key: Key, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
    """What a token answers: a signature of this digest."""
    hashed = HASHES[algorithm.digest]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(digest, ec.ECDSA(Prehashed(hashed)))
    if algorithm.padding is Padding.PSS:
        return key.sign(digest, padding.PSS(padding.MGF1(HASHES[algorithm.digest]()), hashed.digest_size), Prehashed(hashed))
    return key.sign(digest, padding.PKCS1v15(), Prehashed(hashed))


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    x509: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.x509.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.x509.public_bytes(Encoding.PEM)


def name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "UBND tỉnh Thử Nghiệm (DEMO)"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def issue(
    common_name: str,
    key: Key,
    issuer: Issued | None = None,
    *,
    is_ca: bool = False,
    usages: tuple[x509.ObjectIdentifier, ...] = (),
    usages_critical: bool = True,
    serial_number: int | None = None,
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
    padding_bytes: int = 0,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> Issued:
    """Issue a certificate; without issuer it signs itself. padding_bytes: of a private extension that makes it large.

    extensions: more of them, each with whether it is critical.
    """
    subject = name(common_name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.x509.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(serial_number or x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(key_usage(is_ca=is_ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=usages_critical)
    if padding_bytes:
        private = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.99"), bytes(padding_bytes))
        builder = builder.add_extension(private, critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Issued(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=not is_ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


@cache
def root() -> Issued:
    return issue("Root G2 (DEMO)", rsa_key(100), is_ca=True)


@cache
def authority() -> Issued:
    return issue("CA phục vụ các cơ quan Nhà nước (DEMO)", rsa_key(101), root(), is_ca=True)


def tsa(algorithm: SignatureAlgorithm = SignatureAlgorithm.RSA_PKCS1_SHA256) -> Issued:
    """The same timestamp authority for the same family of keys, all through a test run."""
    return _tsa(algorithm.family)


@cache
def _tsa(family: KeyFamily) -> Issued:
    key = rsa_key(102) if family is KeyFamily.RSA else ec_key(102)
    return issue("TSA (DEMO)", key, authority(), usages=(ExtendedKeyUsageOID.TIME_STAMPING,))
