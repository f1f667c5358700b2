"""What CMS takes out of a certificate: issuer and serial number as they stand in it, and how long its signatures get (RFC 5280 §4.1)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signer.algorithms import KeyFamily
from signer.errors import CertificateUnusable
from signer.formats import der, der_reader

_VERSION_TAG = 0xA0


@dataclass(frozen=True, slots=True)
class SignerCertificate:
    """A signer's certificate, cut where CMS needs it.

    encoded: all of it, DER. issuer: Name, DER. serial_number: INTEGER, DER. signature_bytes_max: the longest signature its key makes.
    """

    encoded: bytes
    issuer: bytes
    serial_number: bytes
    family: KeyFamily
    signature_bytes_max: int

    @classmethod
    def read(cls, certificate: bytes) -> SignerCertificate:
        """Cut a DER certificate; CertificateUnusable when it is none, or its key neither RSA nor EC."""
        issuer, serial_number = issuer_and_serial_number(certificate)
        try:
            key = x509.load_der_x509_certificate(certificate).public_key()
        except Exception as unreadable:  # the loader's errors differ by the field that is broken
            raise CertificateUnusable(f"the signer's certificate can't be read: {unreadable}") from unreadable
        match key:
            case rsa.RSAPublicKey():
                return cls(certificate, issuer, serial_number, KeyFamily.RSA, (key.key_size + 7) // 8)
            case ec.EllipticCurvePublicKey():
                return cls(certificate, issuer, serial_number, KeyFamily.EC, _ecdsa_bytes_max(key.key_size))
            case _:
                raise CertificateUnusable(f"the signer's certificate holds a {type(key).__name__}; RSA and EC keys sign here")


def _ecdsa_bytes_max(key_bits: int) -> int:
    largest = (1 << key_bits) - 1
    return len(der.sequence(der.integer(largest), der.integer(largest)))


def issuer_and_serial_number(certificate: bytes) -> tuple[bytes, bytes]:
    """Issuer Name and serialNumber INTEGER of a DER certificate, each as encoded there; CertificateUnusable when it is none."""
    try:
        fields = der_reader.read(certificate, der.SEQUENCE).children().take(der.SEQUENCE).children()
        fields.take_if(_VERSION_TAG)
        serial_number = fields.take(der.INTEGER)
        fields.take(der.SEQUENCE)
        return fields.take(der.SEQUENCE).encoded, serial_number.encoded
    except der_reader.DerError as malformed:
        raise CertificateUnusable(f"not a DER certificate: {malformed}") from malformed
