from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.errors import CertificateUnusable


def check_timestamping_usage(certificate: x509.Certificate) -> None:
    """CertificateUnusable unless timeStamping is the one extended key usage, and critical (RFC 3161 §2.3)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, ValueError) as absent:
        raise CertificateUnusable(f"its certificate has no readable extended key usage: {absent}") from absent
    if not usage.critical:
        raise CertificateUnusable("its certificate's extended key usage is not critical")
    if list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise CertificateUnusable("its certificate's extended key usage is not timeStamping alone")
