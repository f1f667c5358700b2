"""signing-certificate-v2: binds a signature to the certificate it was made with (RFC 5035 §3, §4; EN 319 122-1 §5.2.2)."""

from __future__ import annotations

import hashlib

from signer.algorithms import DigestAlgorithm
from signer.formats import der
from signer.formats.cms.certificate import SignerCertificate
from signer.formats.cms.identifiers import DIGEST_IDENTIFIERS

_DIRECTORY_NAME = 4


def signing_certificate_v2(certificate: SignerCertificate, digest: DigestAlgorithm) -> bytes:
    """SigningCertificateV2 with one ESSCertIDv2, its issuerSerial included, and no policies. DER."""
    issuer_serial = der.sequence(der.sequence(der.explicit(_DIRECTORY_NAME, certificate.issuer)), certificate.serial_number)
    # DER leaves out what equals the DEFAULT, and the default hash is SHA-256.
    hash_algorithm = b"" if digest is DigestAlgorithm.SHA256 else DIGEST_IDENTIFIERS[digest]
    cert_hash = der.octet_string(hashlib.new(digest.value, certificate.encoded).digest())
    ess_cert_id = der.sequence(hash_algorithm, cert_hash, issuer_serial)
    return der.sequence(der.sequence(ess_cert_id))
