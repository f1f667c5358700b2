"""Whether a certificate is meant for signing documents (RFC 5280 §4.2.1.3, §4.2.1.9, §4.2.1.12)."""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.formats.status.question import UNREADABLE

_FOR_OTHER_THINGS: Final = frozenset(
    {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.TIME_STAMPING,
        ExtendedKeyUsageOID.OCSP_SIGNING,
    }
)
"""A certificate that names nothing but these signs no documents. What people's certificates name differs by CA: clientAuth and
emailProtection, Microsoft's and Adobe's document signing, RFC 9336's; so the others are taken."""


def unfit_for_documents(certificate: x509.Certificate) -> str:
    """Why it must not sign documents, in words; empty when it may."""
    try:
        found = {type(extension.value): extension.value for extension in certificate.extensions}
    except UNREADABLE:
        return "its extensions can't be read"
    constraints, usage, extended = (found.get(kind) for kind in (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage))
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        return "it is a CA's"
    if isinstance(usage, x509.KeyUsage) and not (usage.digital_signature or usage.content_commitment):
        return "its key usage allows neither digitalSignature nor nonRepudiation"
    if isinstance(extended, x509.ExtendedKeyUsage) and set(extended) <= _FOR_OTHER_THINGS:
        return "its extended key usage is for other things than documents"
    return ""
