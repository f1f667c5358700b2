"""signing-certificate-v2: binds a signature to the certificate it was made with (RFC 5035 §3, §4; EN 319 122-1 §5.2.2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from signer.algorithms import DigestAlgorithm
from signer.formats import der, der_reader
from signer.formats.cms.certificate import SignerCertificate
from signer.formats.cms.identifiers import DIGEST_IDENTIFIERS, DIGESTS_BY_OID

_DIRECTORY_NAME = 4


def signing_certificate_v2(certificate: SignerCertificate, digest: DigestAlgorithm) -> bytes:
    """SigningCertificateV2 with one ESSCertIDv2, its issuerSerial included, and no policies. DER."""
    issuer_serial = der.sequence(der.sequence(der.explicit(_DIRECTORY_NAME, certificate.issuer)), certificate.serial_number)
    # DER leaves out what equals the DEFAULT, and the default hash is SHA-256.
    hash_algorithm = b"" if digest is DigestAlgorithm.SHA256 else DIGEST_IDENTIFIERS[digest]
    cert_hash = der.octet_string(hashlib.new(digest.value, certificate.encoded).digest())
    ess_cert_id = der.sequence(hash_algorithm, cert_hash, issuer_serial)
    return der.sequence(der.sequence(ess_cert_id))


@dataclass(frozen=True, slots=True)
class EssCertId:
    """Which certificate a signature names as its own. digest_name: hashlib's. issuer: Name, DER, and serial_number: DER, when given."""

    digest_name: str
    cert_hash: bytes
    issuer: bytes | None
    serial_number: bytes | None

    def names(self, certificate: bytes, issuer: bytes, serial_number: bytes) -> bool:
        """Whether it is this certificate (DER), whose issuer and serial number are these (DER)."""
        same_hash = hashlib.new(self.digest_name, certificate).digest() == self.cert_hash
        return same_hash and self.issuer in (None, issuer) and self.serial_number in (None, serial_number)


def read_signing_certificate_v2(value: bytes) -> EssCertId:
    """The first ESSCertIDv2 of a SigningCertificateV2, which is the signer's (RFC 5035 §3). Raises DerError."""
    fields = _first_cert_id(value)
    hash_algorithm = fields.take_if(der.SEQUENCE)
    digest = DigestAlgorithm.SHA256
    if hash_algorithm is not None:
        dotted = der_reader.oid(hash_algorithm.children().take(der.OBJECT_IDENTIFIER))
        if dotted not in DIGESTS_BY_OID:
            raise der_reader.DerError(f"ESSCertIDv2 hash algorithm {dotted}")
        digest = DIGESTS_BY_OID[dotted]
    return _read_cert_id(digest.value, fields)


def read_signing_certificate(value: bytes) -> EssCertId:
    """The first ESSCertID of a SigningCertificate, version 1, hashed with SHA-1 (RFC 2634 §5.4). Raises DerError."""
    return _read_cert_id("sha1", _first_cert_id(value))


def _first_cert_id(value: bytes) -> der_reader.Reader:
    return der_reader.read(value, der.SEQUENCE).children().take(der.SEQUENCE).children().take(der.SEQUENCE).children()


def _read_cert_id(digest_name: str, fields: der_reader.Reader) -> EssCertId:
    cert_hash = fields.take(der.OCTET_STRING).content
    issuer_serial = fields.take_if(der.SEQUENCE)
    fields.end()
    if issuer_serial is None:
        return EssCertId(digest_name, cert_hash, None, None)
    names_and_serial = issuer_serial.children()
    directory_name = der_reader.read(names_and_serial.take(der.SEQUENCE).content, der.CONTEXT_CONSTRUCTED | _DIRECTORY_NAME)
    serial_number = names_and_serial.take(der.INTEGER).encoded
    return EssCertId(digest_name, cert_hash, directory_name.content, serial_number)
