"""Keys and certificates as PEM files: private keys are created with mode 0600 from their first byte."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey


def write_certificates(path: Path, *certificates: x509.Certificate) -> Path:
    """Write a certificate and, after it, its issuers (RFC 8446 4.4.2 order: leaf first)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates))
    return path


def write_crl(path: Path, crl: x509.CertificateRevocationList) -> Path:
    """Write a revocation list in DER, the form that CRL distribution points serve (RFC 5280 4.2.1.13)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(crl.public_bytes(Encoding.DER))
    return path


def write_private_key(path: Path, key: PrivateKey) -> Path:
    """Write an unencrypted PKCS#8 key that only its owner can read; an earlier file is replaced, never widened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
