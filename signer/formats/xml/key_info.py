"""KeyInfo: the signer's certificate by name and as a whole, and its chain (XMLDSig 4.5.4)."""

from __future__ import annotations

import base64
import re
from typing import Final

from cryptography import x509

from signer.errors import CertificateUnusable
from signer.formats.xml.markup import escape_text

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\t\n\r]")


def key_info(certificate: bytes, chain: tuple[bytes, ...], prefix: str) -> str:
    """KeyInfo with X509SubjectName and the certificates, DER, each once, the signer's first. prefix: of its names, with its colon."""
    links = [certificate, *(each for each in dict.fromkeys(chain) if each != certificate)]
    certificates = "".join(f"<{prefix}X509Certificate>{base64.b64encode(each).decode()}</{prefix}X509Certificate>" for each in links)
    name = f"<{prefix}X509SubjectName>{escape_text(subject_name(certificate))}</{prefix}X509SubjectName>"
    return f"<{prefix}KeyInfo><{prefix}X509Data>{name}{certificates}</{prefix}X509Data></{prefix}KeyInfo>"


def subject_name(certificate: bytes) -> str:
    """The subject after RFC 4514, in characters that XML 1.0 has: others are written as RFC 4514's hexadecimal pairs."""
    try:
        name = x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    except ValueError as unreadable:
        raise CertificateUnusable(f"the signer's certificate can't be read: {unreadable}") from unreadable
    return _NOT_XML.sub(lambda found: "".join(f"\\{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass")), name)
