"""Certificates as the government's first generation of CAs has them: signed by RSA with SHA-1."""

from __future__ import annotations

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support import pki


def sha1_signed(issued: pki.Issued, issuer: pki.Issued) -> pki.Issued:
    """The same certificate, signed anew with SHA-1."""
    certificate = asn1_x509.Certificate.load(issued.der)
    body = certificate["tbs_certificate"]
    body["signature"] = certificate["signature_algorithm"] = {"algorithm": "sha1_rsa"}
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    certificate["signature_value"] = issuer.key.sign(body.dump(force=True), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    return pki.Issued(x509.load_der_x509_certificate(certificate.dump(force=True)), issued.key)
